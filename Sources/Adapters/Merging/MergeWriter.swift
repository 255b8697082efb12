public import Checkpoints
public import Kernels
internal import StrictJSON
internal import Tokenization
public import Transformer

/// Writes a base with adapters merged into it: as a new Hugging Face directory, as a GGUF file
/// where the base is one, or as a `model.bin`.
///
/// Arithmetic is f32. Tensors are computed and written one by one, so that memory is bounded by the
/// largest matrix (a `model.bin` is put together in memory); the result appears under its name when
/// it is complete and on the disk.
public struct MergeWriter {
    /// What is written, which the name's ending tells.
    enum Form {
        case directory, gguf, packed

        init(_ path: String) {
            self = path.hasSuffix(".gguf") ? .gguf : path.hasSuffix(".bin") ? .packed : .directory
        }
    }

    let base: BaseModel
    let checkpoint: BaseCheckpoint
    let options: MergeOptions
    let pool: WorkerPool
    let values: MergedValues
    let changed: Set<MergeSource>
    /// The adapters' own tokenizer; nil: the base's.
    let tokenizer: TokenizerAssets?
    /// True where the base's head is its embedding, and the result's is a table of its own.
    let untiesHead: Bool

    /// - Parameters:
    ///   - base: the checkpoint's model, not quantised further on loading.
    ///   - adapters: what to merge, with weights.
    /// - Throws: `AdapterError`: a combination that has no meaning, a prefix, an adapter that needs
    ///   a bias where the architecture has none.
    public init(
        base: BaseModel, checkpoint: BaseCheckpoint,
        adapters: [(adapter: LoadedAdapter, weight: Float)], options: MergeOptions = MergeOptions(),
        pool: WorkerPool
    ) throws(AdapterError) {
        self.base = base
        self.checkpoint = checkpoint
        self.options = options
        self.pool = pool
        values = MergedValues(
            base: base, parts: try Self.parts(adapters, slots: base.slots), pool: pool)
        changed = values.changed
        tokenizer = try Self.tokenizer(of: adapters.map(\.adapter))
        untiesHead =
            base.configuration.tiesHeadToEmbedding
            && !changed.isDisjoint(with: [.embedding, .matrix(.head)])
            && !values.changeTableAsOne(changed)
    }

    /// The one tokenizer that the adapters bring along.
    ///
    /// - Throws: `AdapterError.twoTokenizers`.
    private static func tokenizer(
        of adapters: [LoadedAdapter]
    ) throws(AdapterError) -> TokenizerAssets? {
        var own: (name: String, assets: TokenizerAssets)?
        let identity = TokenizerIdentity()
        for adapter in adapters {
            guard let assets = adapter.tokenizer?.assets else { continue }
            if let own,
                identity.digest(of: own.assets) != identity.digest(of: assets)
            {
                throw .twoTokenizers(own.name, adapter.name)
            }
            own = (adapter.name, assets)
        }
        return own?.assets
    }

    /// Whether the result at `path` is a directory.
    public static func writesDirectory(at path: String) -> Bool { Form(path) == .directory }

    /// Computes everything once to see that it is finite and fits its type, then writes.
    ///
    /// - Parameters:
    /// - path: a GGUF file where it ends in `.gguf`, a `model.bin` where it ends in `.bin`, else a
    ///     directory.
    ///   - progress: called with the share done, 0…1, from this thread.
    /// - Throws: `AdapterError.outputExists` unless `path` is free or an empty directory, `.merge`,
    ///   `.unwritable`. Nothing is left behind then.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in }
    ) throws(AdapterError) -> MergeReport {
        switch Form(path) {
        case .directory: try writeDirectory(to: path, progress: progress)
        case .gguf: try writeGGUF(to: path, progress: progress)
        case .packed: try writePacked(to: path, progress: progress)
        }
    }

    func report(
        fileNames: [String], tensorCount: Int, notes: [String]
    ) -> MergeReport {
        MergeReport(
            fileNames: fileNames, tensorCount: tensorCount,
            changedModuleCount: Set(changed.compactMap(\.slot)).count, untiesHead: untiesHead,
            notes: notes)
    }

    /// - Throws: `AdapterError.outputExists`.
    func checkVacant(_ path: String) throws(AdapterError) {
        guard try FileReader(root: nil).kind(of: path) == .missing else {
            throw .outputExists(path: path)
        }
    }

    private static func parts(
        _ adapters: [(adapter: LoadedAdapter, weight: Float)], slots: SlotTable
    ) throws(AdapterError) -> [SelectedOperators] {
        var parts: [SelectedOperators] = []
        for (adapter, weight) in adapters {
            try AdapterName.check(weight: weight, of: adapter.name)
            do { try adapter.operators.checkIsWeightSpace(adapter.name) } catch {
                throw .merge(error)
            }
            for (slot, operators) in adapter.operators.linear where !slots.hasBias(slot) {
                for case .bias in operators {
                    throw .unmergeable(
                        adapter: adapter.name, module: slots.name(of: .linear(slot)),
                        reason: "gets a bias from it, and this architecture has none there: "
                            + "serve it attached")
                }
            }
            parts.append(
                SelectedOperators(
                    name: adapter.name, operators: adapter.operators, weight: weight))
        }
        do { _ = try AdapterPlan(parts, slots: slots) } catch { throw .combination(error) }
        return sums(parts, hashes: adapters.map(\.adapter.hash))
    }

    /// One adapter under several names is one whose weights add up; where they add up to nothing,
    /// nothing of the base changes, not even its last digits.
    private static func sums(
        _ parts: [SelectedOperators], hashes: [String]
    ) -> [SelectedOperators] {
        var sums: [SelectedOperators] = []
        var places: [String: Int] = [:]
        for (part, hash) in zip(parts, hashes) {
            guard addsUp(part), let place = places[hash] else {
                places[hash] = sums.count
                sums.append(part)
                continue
            }
            sums[place] = SelectedOperators(
                name: sums[place].name, operators: part.operators,
                weight: sums[place].weight + part.weight)
        }
        return sums.filter { $0.weight != 0 || !addsUp($0) }
    }

    private static func addsUp(_ part: SelectedOperators) -> Bool {
        !part.operators.replacesWeights && part.operators.vocabulary == nil
    }
}
