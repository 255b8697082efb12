internal import Checkpoints
internal import Kernels
internal import Transformer

/// Which tensors a merged GGUF file has: the base's, byte for byte where they aren't changed.
struct GGUFMergePlan {
    struct Entry {
        let tensor: GGUFWriter.Tensor
        /// Nil where the base's bytes stay.
        let source: MergeSource?

        var width: Int { tensor.shape.last ?? 1 }
    }

    let file: GGUFFile
    private(set) var entries: [Entry] = []
    private let slots: SlotTable
    private let weightType: WeightType?

    /// - Throws: `AdapterError.merge` where blocks of the asked type can't hold a matrix.
    init(_ file: GGUFFile, _ writer: MergeWriter) throws(AdapterError) {
        self.file = file
        slots = writer.base.slots
        weightType = writer.options.weightType
        do throws(CheckpointError) {
            for name in file.tensorNames {
                let view = try file.readableTensor(name)
                let source = mergeSource(named: GGUFFile.huggingFaceName(of: name))
                    .flatMap { writer.changed.contains($0) ? $0 : nil }
                let type = source == nil ? view.elementType : changedType(of: view)
                let tensor = GGUFWriter.Tensor(
                    name: name, elementType: type, shape: view.shape)
                entries.append(Entry(tensor: tensor, source: source))
            }
        } catch { throw .damagedFile(error.description) }
        if writer.untiesHead { addHead() }
        for entry in entries where entry.width % entry.tensor.elementType.blockElementCount != 0 {
            throw .merge(
                .noWholeBlocks(
                    module: entry.tensor.name, inputCount: entry.width,
                    type: entry.tensor.elementType.rawValue))
        }
    }

    /// A head of its own beside the embedding, of the type that the embedding had.
    private mutating func addHead() {
        guard let name = GGUFFile.storedName(of: slots.name(of: .linear(.head)) + ".weight"),
            let embedding = GGUFFile.storedName(of: slots.name(of: .embedding) + ".weight"),
            let view = file.tensor(embedding)
        else { return }
        let tensor = GGUFWriter.Tensor(
            name: name, elementType: changedType(of: view), shape: view.shape)
        entries.append(Entry(tensor: tensor, source: .matrix(.head)))
    }

    /// Of a changed tensor; vectors keep theirs.
    private func changedType(of view: TensorView) -> ElementType {
        guard view.shape.count > 1, let weightType else { return view.elementType }
        return ElementType(rawValue: weightType.rawValue) ?? view.elementType
    }

    private func mergeSource(named name: String) -> MergeSource? {
        let (module, isBias) =
            name.hasSuffix(".bias")
            ? (name.dropLast(".bias".count), true) : (name.dropLast(".weight".count), false)
        switch slots.slot(named: String(module)) {
        case .linear(let slot): return isBias ? .bias(slot) : .matrix(slot)
        case .norm(let slot): return isBias ? .normBias(slot) : .gain(slot)
        case .embedding: return .embedding
        case nil: return nil
        }
    }
}

// The result as a GGUF file.
extension MergeWriter {
    func writeGGUF(
        to path: String, progress: (Double) -> Void
    ) throws(AdapterError) -> MergeReport {
        guard checkpoint.kind == .gguf else {
            throw .unwritable(
                path: path,
                reason:
                    "a GGUF file takes its tokenizer and settings from the base's, and the base "
                    + "is none: merge into a directory, and convert that with llama.cpp")
        }
        guard values.vocabularyCount == base.slots.vocabularyCount else {
            throw .unwritable(
                path: path,
                reason: "an adapter makes the vocabulary \(values.vocabularyCount) tokens, and the "
                    + "base's tokenizer, which a GGUF file carries, has "
                    + "\(base.slots.vocabularyCount): merge into a directory")
        }
        try checkVacant(path)
        let plan = try GGUFMergePlan(try opened(checkpoint.tensors.path), self)
        let changed = plan.entries.filter { $0.source != nil }
        for (index, entry) in changed.enumerated() {
            do { _ = try bytes(of: entry) } catch { throw .merge(error) }
            progress(0.5 * Double(index + 1) / Double(changed.count))
        }
        var entries = plan.entries[...]
        var failure: AdapterError?
        do throws(CheckpointError) {
            try GGUFWriter(keysOf: plan.file, tensors: entries.map(\.tensor))
                .write(to: path, progress: { progress(0.5 + $0 / 2) }) {
                    (tensor) throws(CheckpointError) in
                    guard let entry = entries.popFirst() else { return [] }
                    guard entry.source != nil else {
                        return try plan.file.readableTensor(tensor.name).content()
                    }
                    do throws(MergeError) { return try self.bytes(of: entry) } catch {
                        failure = .merge(error)
                        return []
                    }
                }
        } catch { throw failure ?? AdapterError(writing: error) }
        return report(
            fileNames: [path], tensorCount: plan.entries.count,
            notes: tokenizer == nil
                ? []
                : [
                    "the GGUF file keeps the base's tokenizer, and the adapter has one of its own: merge "
                        + "into a directory or a .bin to keep that"
                ])
    }

    private func opened(_ path: String) throws(AdapterError) -> GGUFFile {
        do { return try GGUFFile(path: path) } catch { throw .damagedFile(error.description) }
    }

    /// The bytes of a changed tensor, its rows in the file's order.
    private func bytes(of entry: GGUFMergePlan.Entry) throws(MergeError) -> [UInt8] {
        guard let source = entry.source else { return [] }
        let tensor = entry.tensor
        var values = values
        values.keepsOutputsFirst = true
        return try values.withChecked(
            source, as: tensor.elementType, name: tensor.name, width: entry.width
        ) { (values) throws(MergeError) in
            guard let order = storedRows(of: source, count: tensor.shape[0]) else {
                return NarrowFloats.bytes(values, as: tensor.elementType, pool: pool)
            }
            let width = values.count / order.count
            let stored = AlignedBuffer<Float>(count: values.count)
            for (row, place) in order.enumerated() {
                (stored.pointer + place * width)
                    .update(from: values.baseAddress! + row * width, count: width)
            }
            return NarrowFloats.bytes(
                UnsafeBufferPointer(start: stored.pointer, count: stored.count),
                as: tensor.elementType, pool: pool)
        }
    }

    /// For each row, its place in the file; nil where that is its own.
    private func storedRows(of source: MergeSource, count: Int) -> [Int]? {
        guard checkpoint.queryKeyRowsArePermuted, case .linear(let slot) = source.slot,
            let headCount = base.configuration.rotatedHeadCounts(base.slots)[slot]
        else { return nil }
        return RowOrder(rowCount: count, headCount: headCount).storedRows
    }
}
