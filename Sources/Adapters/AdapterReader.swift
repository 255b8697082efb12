public import Kernels
public import Transformer

/// Reads an adapter of any supported kind and compiles it to operators.
public enum AdapterReader {
    /// PEFT's spellings of the methods that can be read, sorted.
    public static var supportedMethods: [String] { Methods.supported }

    /// - Parameters:
    ///   - name: what the adapter is called in messages and listings.
    ///   - path: a PEFT directory or a `.lora` file, told apart by content.
    /// - Throws: `AdapterError`, which names file and tensor or setting. Every tensor and every
    ///   setting is used, or the adapter is refused.
    public static func read(
        name: String, path: String, slots: SlotTable, base: BaseModel,
        options: AdapterOptions = AdapterOptions(), pool: WorkerPool
    ) throws(AdapterError) -> LoadedAdapter {
        let file = try AdapterFile.open(path, options: options).inRowOrder(of: base.configuration)
        let read = try Methods.reader(of: file.peftType, file: file.configuration.file)
        let compiled = try read(
            file, Methods.Context(base: base, options: options, pool: pool))
        return LoadedAdapter(
            name: name, hash: file.contentHash, peftType: file.peftType,
            operators: compiled.operators, parameterCount: compiled.parameterCount,
            warnings: compiled.warnings, targets: compiled.targets)
    }

    /// Checks an adapter without its values: the configuration, and name, type and shape of every
    /// tensor.
    ///
    /// - Returns: nil where the check needs values, so that the adapter must be read whole.
    /// - Throws: `AdapterError`, as `read` would.
    static func check(
        path: String, base: BaseModel, options: AdapterOptions, pool: WorkerPool
    ) throws(AdapterError) -> AdapterFacts? {
        let file = try AdapterFile.open(path, options: options, extent: .header)
        guard file.peftType == "LORA", LoRA.holdsFactorsOnly(file) else { return nil }
        let compiled = try LoRA.read(
            file,
            in: Methods.Context(base: base, options: options, pool: pool, readsValues: false))
        return AdapterFacts(
            hash: "", peftType: file.peftType, parameterCount: compiled.parameterCount,
            rank: compiled.checkedRank, warnings: compiled.warnings, targets: compiled.targets)
    }
}
