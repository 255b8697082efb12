public import Checkpoints
public import Kernels
internal import StrictJSON
public import Transformer

/// Writes a base with adapters merged into it as a new Hugging Face directory.
///
/// Arithmetic is f32. Tensors are computed and written one by one, so that memory is bounded by the
/// largest matrix; the directory appears when it is complete and on the disk.
public struct MergeWriter {
    let base: BaseModel
    let checkpoint: BaseCheckpoint
    let parts: [SelectedOperators]
    let options: MergeOptions
    let pool: WorkerPool
    let plan: MergePlan

    /// - Parameters:
    ///   - base: the checkpoint's model, not quantised further on loading.
    ///   - adapters: what to merge, with weights.
    /// - Throws: `AdapterError`: a combination that has no meaning, a prefix, an adapter that needs a
    ///   bias where the architecture has none.
    public init(
        base: BaseModel, checkpoint: BaseCheckpoint,
        adapters: [(adapter: LoadedAdapter, weight: Float)], options: MergeOptions = MergeOptions(),
        pool: WorkerPool
    ) throws(AdapterError) {
        self.base = base
        self.checkpoint = checkpoint
        self.options = options
        self.pool = pool
        parts = try Self.parts(adapters, slots: base.slots)
        plan = MergePlan(
            base: base, checkpoint: checkpoint, parts: parts, weightType: options.weightType)
    }

    /// Computes everything once to see that it is finite and fits its type, then writes.
    ///
    /// - Parameter progress: called with the share done, 0…1, from this thread.
    /// - Throws: `AdapterError.outputExists` unless `path` is free or an empty directory, `.merge`,
    ///   `.unwritable`. Nothing is left behind then.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in }
    ) throws(AdapterError) -> MergeReport {
        let configuration = try configurationText(path)
        try checkResults { progress($0 / 2) }
        var failure: AdapterError?
        do throws(CheckpointError) {
            let directory = try AtomicDirectory(path: path)
            let writer = ShardedSafetensorsWriter(
                tensors: plan.entries.map(\.tensor),
                maximumShardByteCount: options.maximumShardByteCount)
            var entries = plan.entries[...]
            try writer.write(
                toDirectory: directory.temporaryPath, progress: { progress(0.5 + $0 / 2) }
            ) { (tensor, sink) throws(CheckpointError) in
                guard let entry = entries.popFirst() else { return }
                var bytes: [UInt8] = []
                do throws(MergeError) { bytes = try self.bytes(of: entry) } catch {
                    failure = .merge(error)
                }
                try sink.write(bytes)
            }
            try AtomicFile.write(configuration, to: directory.place("config.json"))
            let tokenizer = TokenizerFiles(checkpoint: checkpoint)
            try tokenizer.write { (name, content) throws(CheckpointError) in
                try AtomicFile.write(content, to: directory.place(name))
            }
            try directory.commit()
            return MergeReport(
                fileNames: writer.fileNames, tensorCount: plan.entries.count,
                changedModuleCount: plan.changed.count, untiesHead: plan.untiesHead,
                notes: tokenizer.notes)
        } catch { throw failure ?? AdapterError(writing: error) }
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
        return parts
    }

    private func checkResults(_ progress: (Double) -> Void) throws(AdapterError) {
        for (index, entry) in plan.entries.enumerated() {
            do { try check(entry) } catch { throw .merge(error) }
            progress(Double(index + 1) / Double(plan.entries.count))
        }
    }
}
