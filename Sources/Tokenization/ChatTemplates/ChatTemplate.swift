/// How a base wants a conversation written, recognised from the text of its Jinja template.
///
/// The template itself is not run; each known family is written by code of its own, and what differs between members of
/// a family is read from the template's text.
public struct ChatTemplate: Sendable, Equatable {
    /// The families and what differs between their members.
    enum Family: Sendable, Equatable {
        case chatML(defaultSystem: String?, trims: Bool)
        case llama2
        /// `header` is set for templates that begin with knowledge and today's date.
        case llama3(header: DateHeader?)
        /// Whether a system message goes into the first user message, or is refused.
        case gemma(takesSystem: Bool)
        case mistral(MistralStyle)
        case zephyr
    }

    /// The lines that Llama 3.1 and later put into the system message.
    struct DateHeader: Sendable, Equatable {
        var knowledgeDate: String
        /// A fixed date; nil for today's.
        var today: String?
    }

    /// What differs between Mistral's templates.
    struct MistralStyle: Sendable, Equatable {
        var beforeUser: String
        var afterUser: String
        var beforeAssistant: String
        var afterAssistant: String
        var trimsAssistant: Bool
        var system: SystemPlace

        /// The user message that a system message is put in front of.
        enum SystemPlace: Sendable, Equatable {
            case refused, firstUser, lastUser
        }
    }

    let family: Family
    /// Whether the template writes the beginning token at the start.
    let writesBeginning: Bool
    let beginningText: String
    let endText: String

    /// The families that are recognised.
    public static let knownNames = ["ChatML", "Llama 2", "Llama 3", "Gemma", "Mistral", "Zephyr"]

    /// The family's name.
    public var name: String {
        switch family {
        case .chatML: "ChatML"
        case .llama2: "Llama 2"
        case .llama3: "Llama 3"
        case .gemma: "Gemma"
        case .mistral: "Mistral"
        case .zephyr: "Zephyr"
        }
    }

    /// Spellings of the tokens that end an answer in this family, beside the vocabulary's end token.
    var endTokenSpellings: [String] {
        switch family {
        case .chatML: ["<|im_end|>"]
        case .llama3: ["<|eot_id|>"]
        case .gemma: ["<end_of_turn>"]
        case .llama2, .mistral, .zephyr: []
        }
    }
}
