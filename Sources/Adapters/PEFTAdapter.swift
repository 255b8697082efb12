internal import Checkpoints
internal import StrictJSON

/// What a PEFT directory holds: an adapter's configuration and its tensors, in PEFT's terms.
struct PEFTAdapter: Sendable {
    var configuration: JSONObject
    var tensors: [AdapterTensor]
    /// What an adapter of another format says of itself beside these.
    var origin = ForeignOrigin()

    /// What PEFT puts before the names of the base's modules.
    static let prefix = "base_model.model."

    /// The same for this adapter: PEFT wraps nothing around the base beside a prefix.
    var modulePrefix: String {
        configuration["peft_type"] == .string(PrefixTuning.peftType)
            ? PromptModules.prefix : Self.prefix
    }

    /// Writes a `.lora` where the path ends so, else a PEFT directory; either appears when
    /// complete.
    ///
    /// - Throws: `AdapterError.outputExists`, `.unwritable`.
    func write(to path: String) throws(AdapterError) {
        do throws(CheckpointError) {
            if path.hasSuffix(".lora") {
                let text = JSONValue.object(configuration).serialized(pretty: true)
                try Self.write(
                    tensors, to: path, metadata: [AdapterFile.configurationKey: text])
            } else {
                let directory = try AtomicDirectory(path: path)
                try AtomicFile.write(
                    JSONValue.object(configuration).serialized(pretty: true) + "\n",
                    to: directory.place(AdapterFile.configurationName))
                try Self.write(
                    tensors, to: directory.place(AdapterFile.tensorName), metadata: [:])
                try directory.commit()
            }
        } catch { throw AdapterError(writing: error) }
    }

    /// Writes tensors in order of their names as one safetensors file.
    static func write(
        _ tensors: [AdapterTensor], to path: String, metadata: [String: String]
    ) throws(CheckpointError) {
        let tensors = tensors.sorted { $0.name < $1.name }
        let writer = SafetensorsWriter(
            tensors: tensors.map {
                .init(name: $0.name, elementType: $0.elementType, shape: $0.shape)
            }, metadata: metadata.merging(["format": "pt"]) { first, _ in first })
        var index = 0
        try writer.write(to: path) { (_, sink) throws(CheckpointError) in
            let bytes = tensors[index].withBytes { [UInt8]($0) }
            index += 1
            try sink.write(bytes)
        }
    }
}

extension PEFTAdapter {
    /// The settings of a LoRA that PEFT can't do without.
    static func loraConfiguration(
        rank: Int, alpha: Double, targets: [String], baseModel: String? = nil
    ) -> JSONObject {
        [
            "base_model_name_or_path": baseModel.map(JSONValue.string) ?? .null,
            "bias": .string("none"),
            "fan_in_fan_out": .bool(false),
            "inference_mode": .bool(true),
            "init_lora_weights": .bool(true),
            "lora_alpha": alpha.asJSON,
            "lora_dropout": .number(0),
            "modules_to_save": .null,
            "peft_type": .string(LoRA.peftType),
            "r": .integer(Int64(rank)),
            "target_modules": .array(targets.map(JSONValue.string)),
            "task_type": .string("CAUSAL_LM"),
            "use_rslora": .bool(false),
        ]
    }
}

extension Double {
    /// A whole number without a fraction, as configurations have it.
    var asJSON: JSONValue {
        if let whole = Int64(exactly: self) { return .integer(whole) }
        return .number(self)
    }
}

extension AdapterTensor {
    /// A tensor of values that were computed, in f32.
    ///
    /// - Throws: `AdapterError.damagedFile` where there is no memory for it.
    init(name: String, shape: [Int], values: [Float]) throws(AdapterError) {
        try self.init(
            name: name, elementType: .f32, shape: shape,
            bytes: values.withUnsafeBytes { [UInt8]($0) })
    }

    /// A tensor of f32 zeros, which take no memory: of a file whose values weren't read.
    ///
    /// - Throws: as above.
    init(name: String, shape: [Int]) throws(AdapterError) {
        do throws(CheckpointError) {
            self.init(
                try TensorView(name: name, elementType: .f32, zerosOfShape: shape, path: name))
        } catch { throw .damagedFile(error.description) }
    }

    /// - Throws: as above.
    init(
        name: String, elementType: ElementType, shape: [Int], bytes: [UInt8]
    ) throws(AdapterError) {
        do throws(CheckpointError) {
            self.init(
                try TensorView(
                    name: name, elementType: elementType, shape: shape, copying: bytes, path: name))
        } catch { throw .damagedFile(error.description) }
    }
}
