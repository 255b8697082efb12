/// What stands before and after each message of a conversation, as one or more chat templates write
/// it.
///
/// Texts hold `{bos}`, `{eos}` and `{today}` where a template writes the beginning token, the end
/// token and the date.
struct ChatFormat: Sendable, Equatable {
    /// What stands around one message.
    struct Turn: Sendable, Equatable {
        var before: String
        var after: String
        /// Whether the content loses white space at both ends.
        var trims = false
    }

    /// Where a first message of the role `system` goes.
    enum SystemPlace: Sendable, Equatable {
        /// Nowhere: it is refused.
        case none
        /// It is a turn of its own.
        case turn(Turn)
        /// It stands in front of the content of a user message: of the first, or of the last where
        /// that is a user's.
        case inUser(Turn, isLast: Bool)
    }

    /// The family's name, for messages.
    var name: String
    /// What every conversation begins with.
    var opening = ""
    /// What follows where the first message is no system message.
    var withoutSystem = ""
    var system = SystemPlace.none
    /// By role; a role that isn't here is refused.
    var turns: [String: Turn]
    /// What the assistant's answer follows.
    var generation: String
    /// Whether a system message inside a user message is trimmed together with it.
    var trimsSystemWithUser = false
    /// Whether a first system message without content is as none, with nothing in its place.
    var omitsEmptySystem = false
    /// Whether a system message alone is refused.
    var needsTurn = false
    /// Whether user and assistant must take turns.
    var alternates = false
    /// Whether the template works only where there is a beginning token, or an end token.
    var needsBeginning = false
    var needsEnd = false
    /// Whether `generation` also follows a conversation that ends with an answer.
    var promptsAfterAnswer = true
}
