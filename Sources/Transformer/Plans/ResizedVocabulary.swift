public import Kernels

/// A vocabulary of another size than the base's, which training an adapter began with: the first
/// tokens are the base's own, with whatever the adapter changes in their rows.
public struct ResizedVocabulary: Sendable {
    /// Tokens that there are; ids from here on don't exist.
    public let tokenCount: Int
    /// Embedding rows of the tokens behind the base's; nil where there are none, or where the whole
    /// table is replaced.
    /// **Shape**: [tokenCount - the base's, hiddenSize].
    public let embedding: PackedMatrix?
    /// The head's rows of these tokens; nil as above.
    /// **Shape**: [tokenCount - the base's, hiddenSize].
    public let head: PackedMatrix?

    public init(tokenCount: Int, embedding: PackedMatrix? = nil, head: PackedMatrix? = nil) {
        self.tokenCount = tokenCount
        self.embedding = embedding
        self.head = head
    }

    /// Bytes of its rows; a tied head's are those of the embedding.
    public var byteCount: Int {
        let own = embedding?.byteCount ?? 0
        guard let head, head !== embedding else { return own }
        return own + head.byteCount
    }
}

extension [SelectedOperators] {
    /// The vocabulary of the one adapter that resizes it; nil where none does.
    public var vocabulary: ResizedVocabulary? { lazy.compactMap(\.operators.vocabulary).first }
}
