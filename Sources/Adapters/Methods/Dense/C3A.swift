internal import Transformer

/// C3A: updates of circulant blocks, each of one kernel.
///
///     base_model.model.<module>.c3a_kernel    [outputs / block, inputs / block, block]
///
/// **Source**: arXiv 2407.19342; PEFT 0.21.
enum C3A {
    private static let kernels = TensorPart(".c3a_kernel")
    private static let sizeLimit = 1 << 24

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        try TunerMethod(
            name: "C3A", parts: [kernels],
            settings: { (configuration) throws(AdapterError) in
                let size = try configuration.optionalCount("block_size", limit: sizeLimit) ?? 256
                return try configuration.moduleValues("block_size_pattern", standard: size) {
                    (value, configuration) throws(AdapterError) in
                    try configuration.count(value, name: "block_size_pattern", limit: sizeLimit)
                }
            },
            add: { (slot, sizes, compiler) throws(AdapterError) in
                guard case .linear(let linear) = slot else { return }
                let size = try sizes.value(for: compiler.slots.name(of: slot))
                try add(linear, blockSize: size, &compiler)
            }
        ).read(file, in: context)
    }

    private static func add(
        _ linear: LinearSlot, blockSize: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
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
