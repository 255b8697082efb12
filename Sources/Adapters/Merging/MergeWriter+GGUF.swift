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
    private let base: BaseModel
    /// Nil for a file that can't be a base.
    private let names: GGUFNames?
    private let weightType: WeightType?
    private var slots: SlotTable { base.slots }

    /// - Throws: `AdapterError.merge` where blocks of the asked type can't hold a matrix.
    init(_ file: GGUFFile, _ writer: MergeWriter) throws(AdapterError) {
        self.file = file
        names = file.names
        base = writer.base
        weightType = writer.options.weightType
        do throws(CheckpointError) {
            for name in file.tensorNames {
                let view = try file.readableTensor(name)
                let source = mergeSource(named: names?.huggingFaceName(of: name) ?? name)
                    .flatMap { writer.changed.contains($0) ? $0 : nil }
                let type = source.map { changedType(of: view, $0) } ?? view.elementType
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
        guard let name = names?.storedName(of: slots.name(of: .linear(.head)) + ".weight"),
            let embedding = names?.storedName(of: slots.name(of: .embedding) + ".weight"),
            let view = file.tensor(embedding)
        else { return }
        let tensor = GGUFWriter.Tensor(
            name: name, elementType: changedType(of: view, .embedding),
            shape: view.shape)
        entries.append(Entry(tensor: tensor, source: .matrix(.head)))
    }

    /// Of a changed tensor; vectors keep theirs. Of types that aren't written, matrices get what
    /// the base keeps them in, and vectors f32.
    private func changedType(of view: TensorView, _ source: MergeSource) -> ElementType {
        let isWritten = WeightType(rawValue: view.elementType.rawValue) != nil
        guard view.shape.count > 1 else { return isWritten ? view.elementType : .f32 }
        if weightType == nil, isWritten { return view.elementType }
        let type = weightType ?? keptType(source)
        return ElementType(rawValue: type.rawValue) ?? .f32
    }

    private func keptType(_ source: MergeSource) -> WeightType {
        guard case .matrix(let slot) = source else { return base.weights.embedding.type }
        return base.matrix(at: slot).type
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
        let file = try opened(checkpoint.tensors.path)
        if let names = file.names,
            let joined = file.tensorNames.first(where: names.joinsProjections)
        {
            throw .unwritable(
                path: path,
                reason: "the base's '\(joined)' holds queries, keys and values together, which "
                    + "aren't written so: merge into a directory")
        }
        let plan = try GGUFMergePlan(file, self)
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
        values.layout = checkpoint.layout
        return try values.withChecked(
            source, as: tensor.elementType, name: tensor.name, width: entry.width
        ) { (values) throws(MergeError) in
            guard let order = storedRows(of: source) else {
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
    private func storedRows(of source: MergeSource) -> [Int]? {
        guard case .linear(let slot) = source.slot else { return nil }
        return base.configuration.storedRowOrders(base.slots, checkpoint.layout)[slot]?.storedRows
    }
}
