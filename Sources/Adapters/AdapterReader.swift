internal import Checkpoints
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
        return try Methods.compile(file, name: name, base: base, options: options)
    }
}
