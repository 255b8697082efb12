internal import Adapters
internal import StrictJSON
internal import Tokenization

/// One line of a client, understood.
enum ClientRequest: Sendable, Equatable {
    case generate(GenerateRequest)
    /// Ends the request in flight that has the line's id.
    case cancel
    case loadAdapter(name: String, path: String)
    case unloadAdapter(name: String)
    case listAdapters
    case mergeAdapter(name: String, weight: Float)
    case unmergeAdapter(name: String)
    case tokenize(
        text: String, specialTokens: SpecialTokens? = nil, adapter: [SelectionEntry] = [])
    case detokenize(tokens: [Int32], adapter: [SelectionEntry] = [])
    case stats
    case shutdown
}

extension ClientRequest {
    /// The fields of every operation but `generate`, beside `op` and `id`.
    private static let operations: [(name: String, fields: [String])] = [
        ("cancel", []), ("load_adapter", ["name", "path"]), ("unload_adapter", ["name"]),
        ("list_adapters", []), ("merge_adapter", ["name", "weight"]),
        ("unmerge_adapter", ["name"]), ("tokenize", ["text", "special_tokens", "adapter"]),
        ("detokenize", ["tokens", "adapter"]), ("stats", []), ("shutdown", []),
    ]

    /// - Throws: `unknown_op`, or `bad_request` with the field to blame.
    init(_ object: JSONObject) throws(ServingError) {
        let fields = FieldReader(object: object)
        let name = try fields.string("op") ?? "generate"
        guard name != "generate" else {
            self = .generate(try GenerateRequest(fields))
            return
        }
        guard let operation = Self.operations.first(where: { $0.name == name }) else {
            let known = ["generate"] + Self.operations.map(\.name)
            throw ServingError(
                .unknownOperation,
                "unknown op '\(FieldReader.shortened(name))': there are "
                    + known.joined(separator: ", "), field: "op")
        }
        try fields.refuseFields(besides: ["op", "id"] + operation.fields, operation: name)
        self = try Self.operation(name, fields)
    }

    private static func operation(
        _ name: String, _ fields: FieldReader
    ) throws(ServingError) -> ClientRequest {
        switch name {
        case "cancel": return .cancel
        case "load_adapter":
            return .loadAdapter(
                name: try fields.requiredString("name"), path: try fields.requiredString("path"))
        case "unload_adapter": return .unloadAdapter(name: try fields.requiredString("name"))
        case "list_adapters": return .listAdapters
        case "merge_adapter":
            return .mergeAdapter(
                name: try fields.requiredString("name"), weight: try fields.number("weight") ?? 1)
        case "unmerge_adapter": return .unmergeAdapter(name: try fields.requiredString("name"))
        case "tokenize":
            return .tokenize(
                text: try fields.requiredString("text"), specialTokens: try fields.specialTokens(),
                adapter: try GenerateRequest.adapter(fields["adapter"]))
        case "detokenize":
            guard let tokens = try fields.tokens("tokens") else {
                throw FieldReader.missing("tokens", "an array of token ids")
            }
            return .detokenize(
                tokens: tokens, adapter: try GenerateRequest.adapter(fields["adapter"]))
        case "stats": return .stats
        default: return .shutdown
        }
    }
}
