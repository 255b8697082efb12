internal import Transformer

/// An update B A x of a linear layer whose factors are two of a file's tensors, as they are.
struct StoredProduct: Hashable, Sendable {
    let slot: LinearSlot
    /// Names of the tensors.
    let a, b: String
    let scaling: Float
}
