internal import Checkpoints
internal import Kernels
internal import StrictJSON
internal import Transformer

// The result as a Hugging Face directory.
extension MergeWriter {
    func writeDirectory(
        to path: String, progress: (Double) -> Void
    ) throws(AdapterError) -> MergeReport {
        if let type = options.weightType, type.blockElementCount > 1 {
            throw .unwritable(
                path: path,
                reason: "safetensors has no \(type.rawValue): name a .bin file, or a .gguf file "
                    + "where the base is one")
        }
        let plan = MergePlan(
            values: values, checkpoint: checkpoint, untiesHead: untiesHead,
            weightType: options.weightType)
        let configuration = try configurationText(path)
        for (index, entry) in plan.entries.enumerated() {
            do { try check(entry) } catch { throw .merge(error) }
            progress(0.5 * Double(index + 1) / Double(plan.entries.count))
        }
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
            let tokenizer = TokenizerFiles(checkpoint: checkpoint, own: self.tokenizer)
            try tokenizer.write { (name, content) throws(CheckpointError) in
                try AtomicFile.write(content, to: directory.place(name))
            }
            try directory.commit()
            return report(
                fileNames: writer.fileNames, tensorCount: plan.entries.count,
                notes: tokenizer.notes)
        } catch { throw failure ?? AdapterError(writing: error) }
    }

    /// Computes a tensor only where it can fail: where it differs from the base or changes type.
    private func check(_ entry: MergePlan.Entry) throws(MergeError) {
        guard
            changed.contains(entry.source) || options.weightType != nil
                || base.weightType.blockElementCount > 1
        else { return }
        try values.withChecked(
            entry.source, as: entry.tensor.elementType, name: entry.tensor.name,
            width: entry.tensor.shape.last ?? 1
        ) { (_) throws(MergeError) in }
    }

    private func bytes(of entry: MergePlan.Entry) throws(MergeError) -> [UInt8] {
        try values.with(entry.source, asStored: true) { (values) throws(MergeError) in
            NarrowFloats.bytes(values, as: entry.tensor.elementType)
        }
    }

    /// `config.json` of the result, with the type of the weights.
    ///
    /// - Throws: `AdapterError.unwritable` where the base can't be described by such a file.
    private func configurationText(_ path: String) throws(AdapterError) -> String {
        var configuration = configuration
        for name in ["rope_scaling", "rope_parameters"] {
            guard configuration[name]?.objectValue?["rope_type"] == .string("divisors") else {
                continue
            }
            throw .unwritable(
                path: path,
                reason: "the base's GGUF lists a divisor for each rotary frequency, which "
                    + "config.json can't: write a .gguf, or merge into the Hugging Face checkpoint")
        }
        let key = configuration["dtype"] == nil ? "torch_dtype" : "dtype"
        configuration[key] = .string(typeName)
        return JSONValue.object(configuration).serialized(pretty: true) + "\n"
    }

    /// The base's configuration, with the result's vocabulary, and with the head untied where it
    /// has a table of its own now.
    var configuration: JSONObject {
        var configuration = checkpoint.configuration
        configuration["vocab_size"] = .integer(Int64(values.vocabularyCount))
        // A head of its own stands in the file whatever the base's configuration says.
        if untiesHead || !base.configuration.tiesHeadToEmbedding {
            configuration["tie_word_embeddings"] = .bool(false)
        }
        return configuration
    }

    /// PyTorch's name of the type that most weights have.
    private var typeName: String {
        switch options.weightType ?? base.weightType {
        case .f32: "float32"
        case .bf16: "bfloat16"
        case .f16, .q8_0, .q4_0, .q4_1: "float16"
        }
    }
}
