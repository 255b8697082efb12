/// Where embedding and head of a checkpoint come from.
///
/// The configuration says whether they are one table, but the tensors have the last word: a file
/// that holds two tables that differ has an untied head, and one that holds the head alone ties the
/// embedding to it.
///
/// **Source**: `PreTrainedModel.tie_weights` of transformers 5.
enum HeadPlan: Equatable {
    /// The head is a table of its own.
    case own
    /// The head is the embedding.
    case isEmbedding
    /// One table under the head's name is both.
    case isEmbeddingToo

    /// - Parameters:
    ///   - isTied: what the configuration says.
    ///   - embedding: the name of its tensor.
    ///   - head: the name of its tensor.
    ///   - names: of all tensors.
    ///   - areSame: whether two tensors have the same content.
    /// - Throws: what `areSame` throws.
    init(
        isTied: Bool, embedding: String, head: String, names: Set<String>,
        areSame: (String, String) throws(TransformerError) -> Bool
    ) throws(TransformerError) {
        guard isTied else {
            self = .own
            return
        }
        switch (names.contains(embedding), names.contains(head)) {
        case (_, false): self = .isEmbedding
        case (false, true): self = .isEmbeddingToo
        case (true, true): self = try areSame(embedding, head) ? .isEmbedding : .own
        }
    }
}
