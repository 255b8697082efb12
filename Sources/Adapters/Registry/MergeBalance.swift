internal import Kernels
internal import Transformer

/// What merged matrices of an adapter cost and save, in bytes that a step reads.
///
/// Steps of few rows wait for memory. Attached, an adapter's operators are read beside the layers
/// that they change; merged, its matrices are read in place of those layers where all rows of the
/// step are the adapter's, and beside them where others share it.
package struct MergeBalance: Sendable, Equatable {
    /// The operators, with what they multiply.
    package let attachedByteCount: Int
    /// The own weights of the layers that they change.
    package let layerByteCount: Int
    package let mergedByteCount: Int

    /// Bytes that are read in the time of one multiplication and addition for each of a few rows:
    /// methods that read little and multiply much, as circulants do, decode as if they read so much
    /// (docs/adapters.md, what serving them costs).
    private static let bytesPerProduct = 4
    /// How much larger one side must be, so that small changes of the traffic change nothing.
    private static let margin = 1.25

    package init(attachedByteCount: Int, layerByteCount: Int, mergedByteCount: Int) {
        self.attachedByteCount = attachedByteCount
        self.layerByteCount = layerByteCount
        self.mergedByteCount = mergedByteCount
    }

    init(_ operators: AdapterOperators, base: BaseModel) {
        let costs = OperatorListing(operators, base: base).costs
        let elementCount = costs.layerProductCount
        self.init(
            attachedByteCount: costs.byteCount + Self.bytesPerProduct * costs.productCount,
            layerByteCount: costs.layerByteCount,
            // Merged matrices of quantised bases are f32.
            mergedByteCount: base.hasBlockWeights ? elementCount * 4 : costs.layerByteCount)
    }

    /// - Parameter companyShare: of the adapter's requests, those that share steps with others.
    package func pays(companyShare: Double) -> Bool {
        let (gain, loss) = sums(companyShare)
        return gain > Self.margin * loss
    }

    /// The same for what is merged already: true where it should be dropped.
    package func loses(companyShare: Double) -> Bool {
        let (gain, loss) = sums(companyShare)
        return Self.margin * gain < loss
    }

    /// What merging spares and what it adds, for a mean request.
    private func sums(_ companyShare: Double) -> (gain: Double, loss: Double) {
        // Without company the layers' own weights aren't read.
        let alone = Double(attachedByteCount + layerByteCount - mergedByteCount)
        let inCompany = Double(attachedByteCount - mergedByteCount)
        let parts = [(1 - companyShare) * alone, companyShare * inCompany]
        return (parts.reduce(0) { $0 + max(0, $1) }, parts.reduce(0) { $0 + max(0, -$1) })
    }
}
