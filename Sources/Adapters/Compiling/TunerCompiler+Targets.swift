internal import StrictJSON
internal import Transformer

extension AdapterConfiguration {
    /// A seed of a generator: a whole number from 0.
    mutating func seed(_ name: String, standard: UInt64) throws(AdapterError) -> UInt64 {
        guard let value = value(name) else { return standard }
        guard let seed = value.intValue, seed >= 0 else {
            throw invalid(name, value, expected: "a whole number from 0")
        }
        return UInt64(seed)
    }
}

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
