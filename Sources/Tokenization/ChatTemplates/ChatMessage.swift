/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: “system”, “user” or “assistant”; ChatML also takes “tool”.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}
