internal import Checkpoints
internal import StrictJSON

/// Writes a LoRA as loralib's state dict; the layout is in `Loralib`.
struct LoralibWriter {
    private let lora: PlainLoRA
    private let path: String

    /// - Throws: `AdapterError.unconvertible` for more than low-rank factors.
    init(_ conversion: AdapterConversion) throws(AdapterError) {
        path = conversion.path
        lora = try PlainLoRA(conversion.file, for: .converting(path))
    }

    func write(to output: String) throws(AdapterError) -> AdapterConversion.Report {
        let ranks = Set(lora.factors.values.map(\.rank))
        guard let rank = ranks.first, ranks.count == 1 else {
            throw .unconvertible(
                path: path,
                reason: "loralib's settings have one rank, it has "
                    + ranks.sorted().map(String.init).joined(separator: ", "))
        }
        let alpha = lora.commonAlpha
        var tensors: [AdapterTensor] = []
        for (module, factors) in lora.factors {
            tensors.append(
                try AdapterTensor(
                    name: module + Loralib.suffixA, shape: [rank, factors.inputCount],
                    values: factors.a))
            tensors.append(
                try AdapterTensor(
                    name: module + Loralib.suffixB, shape: [factors.outputCount, rank],
                    values: factors.b(withAlpha: alpha)))
        }
        let settings: JSONObject = [
            "format": .string("loralib"), "r": .integer(Int64(rank)), "lora_alpha": alpha.asJSON,
            "bias": .string("none"),
        ]
        try StateDictDirectory(
            tensorName: Loralib.tensorName, tensors: tensors,
            settingsName: Loralib.configurationName, settings: settings
        ).write(to: output)
        return AdapterConversion.Report(tensorCount: tensors.count, notes: lora.warnings)
    }
}

/// Writes a prefix as THUDM's prefix encoder, without a projection; the layout is in `PrefixEncoder`.
struct PrefixEncoderWriter {
    private let conversion: AdapterConversion

    /// - Throws: `AdapterError.unconvertible` for other methods.
    init(_ conversion: AdapterConversion) throws(AdapterError) {
        guard conversion.file.peftType == "PREFIX_TUNING" else {
            throw .unconvertible(
                path: conversion.path,
                reason:
                    "its method is \(conversion.file.peftType), and a prefix encoder holds prefixes"
            )
        }
        self.conversion = conversion
    }

    func write(to output: String) throws(AdapterError) -> AdapterConversion.Report {
        let file = conversion.file
        guard let tensor = file.tensors.first, file.tensors.count == 1,
            tensor.name == "prompt_embeddings", tensor.shape.count == 2
        else {
            throw .unconvertible(
                path: conversion.path, reason: "it has more than the tensor 'prompt_embeddings'")
        }
        try tensor.checkFinite(file: file.tensorFile)
        let tokenCount = JSONValue.integer(Int64(tensor.shape[0]))
        var settings: JSONObject = [
            "format": .string("ptuning-v2"), "pre_seq_len": tokenCount,
            "prefix_projection": .bool(false),
        ]
        let object = file.configuration.object
        let layers = object["num_layers"]?.intValue
        let heads = object["num_attention_heads"]?.intValue
        if let layers { settings["num_layers"] = .integer(Int64(layers)) }
        if let heads { settings["kv_heads"] = .integer(Int64(heads)) }
        if let heads, heads > 0, let width = object["token_dim"]?.intValue {
            settings["head_dim"] = .integer(Int64(width / heads))
        }
        settings["rotary_on_prefix_keys"] = .bool(false)
        settings["prompt_position_offset"] = tokenCount
        try StateDictDirectory(
            tensorName: PrefixEncoder.tensorName,
            tensors: [tensor.renamed(PrefixEncoder.embedding)],
            settingsName: PrefixEncoder.configurationName, settings: settings
        ).write(to: output)
        return AdapterConversion.Report(tensorCount: 1, notes: [])
    }
}

/// A directory of tensors, with settings in a JSON file beside them.
struct StateDictDirectory {
    let tensorName: String
    let tensors: [AdapterTensor]
    let settingsName: String
    let settings: JSONObject

    func write(to path: String) throws(AdapterError) {
        do throws(CheckpointError) {
            let directory = try AtomicDirectory(path: path)
            try AtomicFile.write(
                JSONValue.object(settings).serialized(pretty: true) + "\n",
                to: directory.place(settingsName))
            try PEFTAdapter.write(tensors, to: directory.place(tensorName), metadata: [:])
            try directory.commit()
        } catch { throw AdapterError(writing: error) }
    }
}
