package import Adapters
package import Engine
internal import StrictJSON
package import Tokenization

/// The one place where errors of other modules get their code.
extension ServingError {
    init(_ error: JSONError) {
        self.init(.badJSON, "the line is not acceptable JSON: \(error)")
    }

    /// - Parameter promptField: the field that the prompt came from.
    package init(_ error: EngineError, promptField: String? = nil) {
        switch error {
        case .invalidParameter(let field, _, _), .unknownToken(_, let field, _):
            self.init(.badRequest, error.description, field: field)
        case .emptyPrompt:
            self.init(.badRequest, error.description, field: promptField)
        case .contextTooLong, .promptInOneStep:
            self.init(.contextTooLong, error.description, field: promptField)
        case .tooManyLayers:
            self.init(.adapterIncompatible, error.description, field: "adapter")
        case .overloaded:
            self.init(.overloaded, error.description)
        case .shuttingDown:
            self.init(.shuttingDown, error.description)
        case .nonFiniteLogits:
            self.init(.internal, error.description)
        }
    }

    /// - Parameter field: the field that names the adapter.
    package init(_ error: AdapterError, field: String) {
        let code: ErrorCode =
            switch error.kind {
            case .unknownName: .adapterNotFound
            case .invalidAdapter: .adapterInvalid
            case .incompatible: .adapterIncompatible
            case .badRequest: .badRequest
            case .unwritable: .internal
            }
        switch error {
        case .replacedMeanwhile:
            self.init(.adapterInUse, error.description, field: field)
        case .memoryInUse:
            self.init(.overloaded, error.description, field: field)
        case .invalidWeight where field == "name":
            self.init(code, error.description, field: "weight")
        default:
            self.init(code, error.description, field: field)
        }
    }

    /// - Parameter field: the field that holds the text, the tokens or the conversation.
    package init(_ error: TokenizationError, field: String) {
        switch error {
        case .sentencePiece:
            self.init(.internal, error.description, field: field)
        default:
            self.init(.badRequest, error.description, field: field)
        }
    }
}
