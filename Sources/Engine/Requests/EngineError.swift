/// Why the engine refuses a request, or gives it up.
public enum EngineError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A field of the request has a value out of range. `field` is the protocol's name of it.
    case invalidParameter(field: String, value: String, expected: String)
    /// A token id outside the vocabulary.
    case unknownToken(Int, field: String, vocabularyCount: Int)
    case emptyPrompt
    /// The prompt, with the adapter's prefix, leaves no room in the context.
    case contextTooLong(tokenCount: Int, maximum: Int)
    /// The adapter reads a prompt as a whole, and a step has no room for it.
    case promptInOneStep(tokenCount: Int, maximum: Int)
    /// The adapter repeats layers, and the cache was made for fewer.
    case tooManyLayers(Int, maximum: Int)
    /// As many requests wait as may.
    case overloaded(requestLimit: Int)
    case shuttingDown
    /// The forward pass gave a logit that is not a number, or infinite.
    case nonFiniteLogits(position: Int)

    public var description: String {
        switch self {
        case .invalidParameter(let field, let value, let expected):
            "'\(field)' is \(value), expected \(expected)"
        case .unknownToken(let token, let field, let vocabularyCount):
            "'\(field)' names token \(token); the vocabulary has ids 0…\(vocabularyCount - 1)"
        case .emptyPrompt:
            "the prompt has no tokens: give it at least one"
        case .contextTooLong(let tokenCount, let maximum):
            "the prompt has \(tokenCount) tokens and the context has room for \(maximum): "
                + "shorten it"
        case .promptInOneStep(let tokenCount, let maximum):
            "the adapter reads all tokens of a prompt at once: this one has \(tokenCount), and a step "
                + "has room for \(maximum): shorten it"
        case .tooManyLayers(let layerCount, let maximum):
            "the adapter makes a model of \(layerCount) layers, and pages of keys and values were made "
                + "for \(maximum) at start: name the adapter when the server starts"
        case .overloaded(let requestLimit):
            "\(requestLimit) requests are in flight, which is the limit: try again later"
        case .shuttingDown:
            "the server is shutting down: it takes no more requests"
        case .nonFiniteLogits(let position):
            "the model gave a logit that is not a finite number at token \(position): check the "
                + "adapter and its weight with 'graft verify'"
        }
    }

    /// The protocol's name of the field to blame, where one is.
    public var field: String? {
        switch self {
        case .invalidParameter(let field, _, _), .unknownToken(_, let field, _): field
        case .emptyPrompt, .contextTooLong, .promptInOneStep, .tooManyLayers, .overloaded,
            .shuttingDown,
            .nonFiniteLogits:
            nil
        }
    }
}
