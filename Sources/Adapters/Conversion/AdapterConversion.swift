internal import Checkpoints
internal import StrictJSON
internal import Transformer

/// The formats that adapters are written in.
public enum AdapterFormat: String, Sendable, CaseIterable {
    /// A PEFT directory, or a `.lora` where the path ends so.
    case peft
    /// llama.cpp's LoRA.
    case gguf
    /// A loralib state dict, in safetensors, with its settings beside it.
    case loralib
    /// THUDM's prefix encoder, in safetensors, with its settings beside it.
    case promptTuningV2 = "ptuning-v2"
    /// A LoRA or (IA)³ of the AdapterHub library.
    case adapterHub = "adapterhub"
}

/// Says an adapter of one format in another.
public struct AdapterConversion {
    /// What was written.
    public struct Report: Sendable, Equatable {
        public let tensorCount: Int
        /// What the user should know; each is one sentence.
        public let notes: [String]
    }

    let file: AdapterFile
    let base: DecoderSpec?
    let path: String
    /// What the file itself gives reason to say.
    private let notes: [String]

    /// Reads the adapter, of whatever format it is.
    ///
    /// - Parameters:
    /// - path: a PEFT directory, a `.lora`, a GGUF LoRA, a loralib state dict or a prefix encoder
    ///     (in safetensors, or as torch saves them), an AdapterHub directory.
    ///   - basePath: the base that it belongs to; only its configuration is read.
    ///   - settings: as JSON; they go before those that stand beside a state dict.
    /// - Throws: `AdapterError` for what can't be read, or needs a base to be understood.
    public init(
        from path: String, basePath: String? = nil, settings: String = "{}"
    ) throws(AdapterError) {
        let overrides = try AdapterConfiguration(parsing: Array(settings.utf8), file: "settings")
        base = try basePath.map { (path) throws(AdapterError) in try Self.configuration(path) }
        let file = try ConversionSource(path: path, overrides: overrides.object).file()
        self.path = path
        notes =
            try base.map { (base) throws(AdapterError) in
                try file.origin.warnings(on: base, strict: false)
            } ?? file.origin.warnings + file.origin.unknownWarnings
        guard
            let tensor = file.tensors.first(where: { QueryKeyRows.concerns($0.name, file.layout) })
        else {
            self.file = file
            return
        }
        guard let base else {
            throw .unconvertible(
                path: path,
                reason:
                    "the order of the rows of '\(tensor.name)' depends on the base's numbers of "
                    + "heads: give the base")
        }
        self.file = try file.inRowOrder(of: base)
    }

    /// - Parameter path: what to write; nothing may stand there, but for a file to be replaced.
    /// - Throws: `AdapterError.unconvertible` for what the format can't say, `.outputExists`,
    ///   `.unwritable`.
    public func write(as format: AdapterFormat, to output: String) throws(AdapterError) -> Report {
        guard file.experts.isEmpty else {
            throw .unconvertible(
                path: path, reason: "it mixes adapters of other directories: convert those")
        }
        let report =
            switch format {
            case .peft: try writePEFT(to: output)
            case .gguf: try GGUFLoRAWriter(self).write(to: output)
            case .loralib: try LoralibWriter(self).write(to: output)
            case .promptTuningV2: try PrefixEncoderWriter(self).write(to: output)
            case .adapterHub: try AdapterHubWriter(self).write(to: output)
            }
        return Report(tensorCount: report.tensorCount, notes: notes + report.notes)
    }

    private func writePEFT(to output: String) throws(AdapterError) -> Report {
        guard ![BottleneckAdapter.type, AdapterUnion.type].contains(file.peftType) else {
            throw .unconvertible(
                path: path,
                reason:
                    "PEFT has no bottlenecks and no unions: serve it as it is, or pack it with graft pack"
            )
        }
        var adapter = PEFTAdapter(configuration: try completed(), tensors: file.tensors)
        try completeTying(&adapter)
        try adapter.write(to: output)
        return Report(tensorCount: adapter.tensors.count, notes: [])
    }

    /// The configuration with what only the base says.
    private func completed() throws(AdapterError) -> JSONObject {
        var configuration = file.configuration.object
        if file.peftType == PrefixTuning.peftType {
            try completePrefix(&configuration)
        } else if let base, let targets = configuration["target_modules"]?.arrayValue {
            let names = targets.compactMap(\.stringValue)
            let modules = SlotTable(base).targetNames
            if names.allSatisfy(modules.contains) {
                configuration["target_modules"] = .array(
                    LoRABuilder.compacted(names, baseModules: modules).map(JSONValue.string))
            }
        }
        return configuration
    }

    /// A head that stands for a tied embedding as well. PEFT wants it under both names, and keeps
    /// the two one matrix for LoRA alone.
    private func completeTying(_ adapter: inout PEFTAdapter) throws(AdapterError) {
        let setting = TunerSettings.tyingSetting
        let name = adapter.modulePrefix + AdapterHub.headWeight
        guard adapter.configuration[setting] == .bool(true),
            let head = adapter.tensors.first(where: { $0.name == name })
        else { return }
        let embedding = adapter.modulePrefix + "model.embed_tokens.weight"
        guard !adapter.tensors.contains(where: { $0.name == embedding }) else { return }
        guard let base else {
            throw .unconvertible(
                path: path,
                reason: "whether the head that was saved along stands for the embedding too, only "
                    + "the base says: give the base, or save the adapter with with_head=False")
        }
        guard base.tiesHeadToEmbedding else {
            adapter.configuration[setting] = nil
            return
        }
        guard file.peftType == LoRA.peftType else {
            throw .unconvertible(
                path: path,
                reason: "the head that was saved along stands for the base's embedding too, which "
                    + "PEFT can say of LoRA alone: serve it as it is, pack it with graft pack, or "
                    + "save it with with_head=False")
        }
        adapter.tensors.append(head.renamed(embedding))
    }

    /// PEFT builds a prefix's shape from the configuration.
    private func completePrefix(_ configuration: inout JSONObject) throws(AdapterError) {
        guard configuration[PrefixTuning.positionSetting] == nil else {
            throw .unconvertible(
                path: path,
                reason: "its tokens are counted from 0, and those behind a prefix of PEFT from the "
                    + "prefix on: serve it as it is, or pack it with graft pack")
        }
        let names = ["num_layers", "num_attention_heads", "token_dim", "encoder_hidden_size"]
        if let base {
            let width = base.keyValueWidth
            for (name, count) in zip(
                names, [base.layerCount, base.keyValueHeadCount, width, width])
            where configuration[name] == nil { configuration[name] = .integer(Int64(count)) }
        }
        guard let name = names.first(where: { configuration[$0] == nil }) else { return }
        throw .unconvertible(
            path: path,
            reason: "PEFT's configuration needs '\(name)', which only the base says: "
                + "give the base")
    }

    private static func configuration(
        _ path: String
    ) throws(AdapterError) -> DecoderSpec {
        let object: JSONObject
        do { object = try BaseCheckpoint.open(path: path).configuration } catch {
            throw .damagedFile(error.description)
        }
        do { return try DecoderSpec(object, file: path) } catch {
            throw .damagedFile(error.description)
        }
    }
}

extension SlotTable {
    /// The names of all modules that a LoRA may target: linear layers, the head and the embedding.
    var targetNames: [String] {
        [name(of: .embedding)] + linearSlots.map { name(of: .linear($0)) }
    }
}
