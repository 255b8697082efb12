public import Kernels
public import Transformer

/// Reads an adapter of any supported kind and compiles it to operators.
public enum AdapterReader {
    /// - Parameters:
    ///   - name: what the adapter is called in messages and listings.
    ///   - path: a PEFT directory or a `.lora` file, told apart by content.
    /// - Throws: `AdapterError`, which names file and tensor or setting. Every tensor and every
    ///   setting is used, or the adapter is refused.
    public static func read(
        name: String, path: String, slots: SlotTable, base: BaseModel,
        options: AdapterOptions = AdapterOptions(), pool: WorkerPool
    ) throws(AdapterError) -> LoadedAdapter {
        let file = try AdapterFile.open(path, options: options)
        let read = try Methods.reader(of: file.peftType, file: file.configuration.file)
        let compiled = try read(
            file, Methods.Context(base: base, options: options, pool: pool))
        return LoadedAdapter(
            name: name, hash: file.contentHash, peftType: file.peftType,
            operators: compiled.operators, parameterCount: compiled.parameterCount,
            warnings: compiled.warnings, targets: compiled.targets)
    }
}
