internal import Kernels
internal import StrictJSON
internal import Transformer

/// A head that was saved along with bottlenecks, which have no other whole weights: their library saves
/// it by default, trained or not.
enum SavedHead {
    private static let setting = "modules_to_save"
    private static let module = "lm_head"
    static let tensorName = TunerTensors.prefix + module + ".weight"

    /// - Returns: true where the configuration names the head.
    /// - Throws: `AdapterError.unsupportedSetting` where it names other modules.
    static func isNamed(_ configuration: inout AdapterConfiguration) throws(AdapterError) -> Bool {
        guard let value = configuration.value(setting), !value.isUnset else { return false }
        guard value == .array([.string(module)]) else {
            throw .unsupportedSetting(
                setting, value: value.excerpt,
                reason: "of whole modules beside such an adapter, only the head can be served yet",
                file: configuration.file)
        }
        return true
    }

    /// The head's operator; nothing for a head that is the base's own.
    ///
    /// - Throws: `AdapterError.missingTensor`, `.wrongShape`, and what is wrong with values.
    static func operators(
        _ tensors: inout NamedTensors, _ context: Methods.Context
    ) throws(AdapterError) -> [LinearSlot: [LinearOperator]] {
        let own = context.base.matrix(at: .head)
        let values = try tensors.take(
            tensorName, shape: [own.outputCount, own.inputCount],
            reason: "the base's '\(module)' has this shape")
        guard !own.holds(values) else { return [:] }
        let matrix = values.withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: own.outputCount,
                    inputCount: own.inputCount), pool: context.pool)
        }
        return [.head: [.replacement(matrix, bias: nil)]]
    }
}

extension PackedMatrix {
    /// True when its values are exactly these. **Shape**: [outputCount, inputCount], row-major.
    func holds(_ values: [Float]) -> Bool {
        var row = [Float](repeating: 0, count: inputCount)
        return (0..<outputCount).allSatisfy { output in
            row.withUnsafeMutableBufferPointer { unpackRow(output, into: $0.baseAddress!) }
            return row.elementsEqual(values[output * inputCount..<(output + 1) * inputCount])
        }
    }
}
