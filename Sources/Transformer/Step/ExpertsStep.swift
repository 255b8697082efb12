import Kernels

/// What the forward pass does with the experts of a layer, as plain values.
struct ExpertsStep: Sendable {
    let slots: ExpertSlots
    let count: Int
    /// Experts of a row.
    let topCount: Int
    let normalizesWeights: Bool
    let inputs: LayerStep.Inputs
    /// Inputs of an expert's `down`.
    let width: Int
    let gating: ExpertsSpec.Gating

    init(_ spec: ExpertsSpec, _ slots: ExpertSlots) {
        self.slots = slots
        count = spec.experts.count
        topCount = spec.topCount
        normalizesWeights = spec.normalizesWeights
        inputs = spec.experts.first.map { LayerStep.Inputs($0.inputs) } ?? .gated
        width = spec.width
        gating = spec.gating
    }
}
