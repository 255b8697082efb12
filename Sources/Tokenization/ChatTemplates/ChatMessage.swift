/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: “system”, “user” or “assistant”; some templates also take “tool”.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}
