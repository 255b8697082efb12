internal import Transformer

/// C3A: updates of circulant blocks, each of one kernel.
///
///     base_model.model.<module>.c3a_kernel    [outputs / block, inputs / block, block]
///
/// **Source**: arXiv 2407.19342; PEFT 0.21.
enum C3A: LinearTuner {
    private static let kernels = TensorPart(".c3a_kernel")
    private static let sizeLimit = 1 << 24

    static let name = "C3A"
    static let parts = [kernels]

    static func isBesideBase(_ settings: ModuleValues<Int>) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> ModuleValues<Int> {
        let size = try configuration.optionalCount("block_size", limit: sizeLimit) ?? 256
        return try configuration.moduleValues("block_size_pattern", standard: size) {
            (value, configuration) throws(AdapterError) in
            try configuration.count(value, name: "block_size_pattern", limit: sizeLimit)
        }
    }

    static func add(
        _ linear: LinearSlot, _ sizes: ModuleValues<Int>, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let blockSize = try sizes.value(for: module)
        let shape = compiler.slots.shape(of: linear)
        guard shape.inputCount % blockSize == 0, shape.outputCount % blockSize == 0 else {
            throw .invalidSetting(
                "block_size", value: "\(blockSize)",
                expected: "a divisor of both sides of '\(module)', "
                    + "[\(shape.outputCount), \(shape.inputCount)]",
                file: compiler.configurationFile)
        }
        let kernels = try compiler.floats(
            kernels, at: slot,
            shape: [shape.outputCount / blockSize, shape.inputCount / blockSize, blockSize],
            reason: "'block_size' and 'block_size_pattern' give '\(module)' blocks of \(blockSize)")
        let scale = 1 / Float(shape.inputCount)
        compiler.append(
            .update(
                CirculantMap(
                    kernels: kernels.map { $0 * scale }, blockSize: blockSize,
                    inputCount: shape.inputCount, outputCount: shape.outputCount)), at: linear)
    }
}
