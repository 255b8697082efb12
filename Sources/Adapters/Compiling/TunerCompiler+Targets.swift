internal import Transformer

extension TunerCompiler {
    /// The linear slots that the configuration targets, in forward order.
    func targetedLinearSlots() throws(AdapterError) -> [LinearSlot] {
        let targeted = try targetedSlots()
        return slots.linearSlots.filter { targeted.contains(.linear($0)) }
    }

    /// The most inputs and the most outputs of all targeted linear layers.
    func largestTargetShape() throws(AdapterError) -> LinearShape {
        let shapes = try targetedLinearSlots().map(slots.shape)
        return LinearShape(
            outputCount: shapes.map(\.outputCount).max() ?? 0,
            inputCount: shapes.map(\.inputCount).max() ?? 0)
    }
}
