internal import Engine
internal import StrictJSON

/// One line for the client.
enum ServerEvent: Sendable {
    case prompt([TokenLogprobs?])
    case token(Int32, text: String, logprobs: TokenLogprobs?)
    case done(Answer)
    case failed(ServingError)
    case adapterLoaded(AdapterDescription)
    case adapterUnloaded(name: String)
    case adapterMerged(AdapterDescription)
    case adapterUnmerged(AdapterDescription)
    case adapters([AdapterDescription])
    case tokens([Int])
    case text(String)
    case stats(JSONObject)

    /// What a `done` event tells.
    struct Answer: Sendable {
        let summary: GenerationSummary
        let text: String
        let tokens: [Int32]
        let adapters: [AnsweringAdapter]

        /// Whether the generator had the request: no prompt is empty.
        var hasStarted: Bool { summary.promptTokenCount > 0 }
    }

    private var name: String {
        switch self {
        case .prompt: "prompt"
        case .token: "token"
        case .done: "done"
        case .failed: "error"
        case .adapterLoaded: "adapter_loaded"
        case .adapterUnloaded: "adapter_unloaded"
        case .adapterMerged: "adapter_merged"
        case .adapterUnmerged: "adapter_unmerged"
        case .adapters: "adapters"
        case .tokens: "tokens"
        case .text: "text"
        case .stats: "stats"
        }
    }

    /// The event as a line, `\n` included. Without an id an error has `"id":null` and other events
    /// have none.
    func line(id: RequestID?) -> String {
        var object = JSONObject()
        if let id {
            object["id"] = id.json
        } else if case .failed = self {
            object["id"] = .null
        }
        object["event"] = .string(name)
        write(to: &object)
        return JSONValue.object(object).serialized() + "\n"
    }

    private func write(to object: inout JSONObject) {
        switch self {
        case .prompt(let logprobs):
            object["prompt_logprobs"] = .array(logprobs.map { $0.map(\.promptJSON) ?? .null })
        case .token(let token, let text, let logprobs):
            object["token"] = .integer(Int64(token))
            object["text"] = .string(text)
            if let logprobs {
                object["logprob"] = logprobs.own.logprob.json
                object["top_logprobs"] = .array(logprobs.top.map(\.json))
            }
        case .done(let answer): answer.write(to: &object)
        case .failed(let error):
            object["code"] = .string(error.code.rawValue)
            object["message"] = .string(error.message)
            object["field"] = error.field.map { .string($0) }
        case .adapterLoaded(let adapter):
            object["name"] = .string(adapter.name)
            object["hash"] = .string(adapter.hash)
            object["peft_type"] = .string(adapter.peftType)
            object["warnings"] = .array(adapter.warnings.map { .string($0) })
        case .adapterUnloaded(let name): object["name"] = .string(name)
        case .adapterMerged(let adapter):
            object["name"] = .string(adapter.name)
            object["hash"] = .string(adapter.hash)
            object["weight"] = adapter.mergedWeight?.json
        case .adapterUnmerged(let adapter):
            object["name"] = .string(adapter.name)
            object["hash"] = .string(adapter.hash)
        case .adapters(let adapters): object["adapters"] = .array(adapters.map(\.json))
        case .tokens(let tokens): object["tokens"] = .array(tokens.map { .integer(Int64($0)) })
        case .text(let text): object["text"] = .string(text)
        case .stats(let stats): for (key, value) in stats { object[key] = value }
        }
    }
}
