internal import Adapters
internal import Engine
internal import StrictJSON
internal import Tokenization

extension GenerateRequest {
    static let fields = [
        "op", "id", "prompt", "messages", "tokens", "adapter", "max_tokens", "temperature", "top_k",
        "top_p", "min_p", "seed", "repetition_penalty", "presence_penalty", "frequency_penalty",
        "logit_bias", "stop", "ignore_eos", "logprobs", "prompt_logprobs", "stream", "timeout_ms",
        "priority", "special_tokens",
    ]
    /// Adapters of a mix, those at weight 0 too.
    static let maximumMixCount = 16
    static let maximumStopCount = 16
    static let maximumStopByteCount = 1024

    /// - Throws: `bad_request` with the field to blame.
    init(_ fields: FieldReader) throws(ServingError) {
        try fields.refuseFields(besides: Self.fields, operation: "generate")
        prompt = try Self.prompt(fields)
        specialTokens = try fields.specialTokens()
        if specialTokens != nil, case .tokens = prompt {
            throw ServingError(
                .badRequest, "'special_tokens' says how text is read, and 'tokens' are no text",
                field: "special_tokens")
        }
        adapter = try Self.adapter(fields["adapter"])
        sampling = try Self.sampling(fields)
        stops = try Self.stops(fields["stop"])
        maximumNewTokenCount = try fields.count("max_tokens", limit: 1 << 31) ?? 256
        ignoresEndTokens = try fields.flag("ignore_eos") ?? false
        logprobCount = try fields.integer("logprobs", in: 0...100)
        promptLogprobCount = try fields.integer("prompt_logprobs", in: 0...100)
        streams = try fields.flag("stream") ?? true
        timeout = try fields.integer("timeout_ms", in: 1...(1 << 40)).map { .milliseconds($0) }
        priority =
            try fields.integer(
                "priority", in: -ClientRights.highestPriority...ClientRights.highestPriority) ?? 0
    }

    private static func prompt(_ fields: FieldReader) throws(ServingError) -> Prompt {
        let given = ["prompt", "messages", "tokens"].filter { fields[$0] != nil }
        guard given.count == 1 else {
            throw ServingError(
                .badRequest,
                "a request has exactly one of 'prompt', 'messages' and 'tokens', this one has "
                    + (given.isEmpty ? "none" : given.joined(separator: " and ")),
                field: given.last ?? "prompt")
        }
        if let text = try fields.string("prompt") { return .text(text) }
        if let tokens = try fields.tokens("tokens") { return .tokens(tokens) }
        return .messages(try messages(fields["messages"] ?? .null))
    }

    private static func messages(_ value: JSONValue) throws(ServingError) -> [ChatMessage] {
        let expected = "an array of {\"role\": string, \"content\": string}"
        guard let elements = value.arrayValue else {
            throw FieldReader.mismatch("messages", value, expected: expected)
        }
        guard !elements.isEmpty else {
            throw ServingError(
                .badRequest, "'messages' is empty: give at least one message", field: "messages")
        }
        var messages: [ChatMessage] = []
        for element in elements {
            guard let object = element.objectValue, object.count == 2,
                let role = object["role"]?.stringValue,
                let content = object["content"]?.stringValue
            else {
                throw ServingError(
                    .badRequest,
                    "message \(messages.count) of 'messages' is not one of \(expected)",
                    field: "messages")
            }
            messages.append(ChatMessage(role: role, content: content))
        }
        return messages
    }

    static func adapter(_ value: JSONValue?) throws(ServingError) -> [SelectionEntry] {
        switch value {
        case nil: return []
        case .string(let name): return [SelectionEntry(name: name)]
        case .object(let mix):
            guard !mix.isEmpty else {
                throw ServingError(
                    .badRequest, "'adapter' names no adapter: give null for the base",
                    field: "adapter")
            }
            guard mix.count <= maximumMixCount else {
                throw ServingError(
                    .badRequest,
                    "'adapter' mixes \(mix.count) adapters, at most \(maximumMixCount) are possible",
                    field: "adapter")
            }
            var entries: [SelectionEntry] = []
            for (name, weight) in mix {
                let weight = try FieldReader.number(weight, field: "adapter")
                entries.append(SelectionEntry(name: name, weight: weight))
            }
            return entries
        case let value?:
            throw FieldReader.mismatch(
                "adapter", value, expected: "a name, an object of names and weights, or null")
        }
    }

    private static func stops(_ value: JSONValue?) throws(ServingError) -> [String] {
        guard let value else { return [] }
        let elements = value.arrayValue ?? [value]
        guard elements.count <= maximumStopCount else {
            throw ServingError(
                .badRequest,
                "'stop' has \(elements.count) strings, at most \(maximumStopCount) are possible",
                field: "stop")
        }
        var stops: [String] = []
        for element in elements {
            if element == .string("") {
                throw ServingError(
                    .badRequest,
                    "'stop' has an empty string, which every answer begins with: leave it out",
                    field: "stop")
            }
            guard let text = element.stringValue,
                (1...maximumStopByteCount).contains(text.utf8.count)
            else {
                throw FieldReader.mismatch(
                    "stop", element, expected: "strings of 1 to \(maximumStopByteCount) bytes",
                    isPart: value.arrayValue != nil)
            }
            stops.append(text)
        }
        return stops
    }
}
