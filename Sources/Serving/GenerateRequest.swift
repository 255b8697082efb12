public import Adapters
public import Engine
public import Tokenization

/// A request for text, as the wire carries it and checked as far as that goes without a model.
public struct GenerateRequest: Sendable, Equatable {
    /// What generation continues.
    public enum Prompt: Sendable, Equatable {
        case text(String)
        case messages([ChatMessage])
        /// Taken as they are.
        case tokens([Int32])

        /// The field that carries it.
        public var field: String {
            switch self {
            case .text: "prompt"
            case .messages: "messages"
            case .tokens: "tokens"
            }
        }
    }

    public var prompt: Prompt
    /// What special tokens in the prompt's text or in the contents of messages are; nil: as the
    /// tokenizer has it.
    public var specialTokens: SpecialTokens?
    /// The adapters; none for the base.
    public var adapter: [SelectionEntry] = []
    public var maximumNewTokenCount = 256
    public var sampling: SamplingParameters
    public var stops: [String] = []
    public var ignoresEndTokens = false
    /// Alternatives to report for each new token; nil for no log-probabilities.
    public var logprobCount: Int?
    /// Alternatives to report for each prompt token; nil for none.
    public var promptLogprobCount: Int?
    public var streams = true
    public var timeout: Duration?
    /// Higher ones leave the queue first.
    public var priority = 0

    public init(prompt: Prompt, sampling: SamplingParameters) {
        self.prompt = prompt
        self.sampling = sampling
    }

    /// Memory that it takes while it waits, about.
    var byteCount: Int {
        let promptByteCount =
            switch prompt {
            case .text(let text): text.utf8.count
            case .messages(let messages):
                messages.reduce(0) { $0 + $1.content.utf8.count + 64 }
            case .tokens(let tokens): tokens.count * MemoryLayout<Int32>.size
            }
        return promptByteCount + 1024
    }
}
