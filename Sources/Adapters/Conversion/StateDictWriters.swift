internal import Checkpoints
internal import StrictJSON

/// Writes a LoRA with its biases as loralib's state dict; the layout is in `Loralib`.
struct LoralibWriter {
    /// Nil where biases are all that there is.
    private let lora: PlainLoRA?
    /// Under the base's own names.
    private let biases: [AdapterTensor]
    private let bias: JSONValue
    private let path: String

    /// - Throws: `AdapterError.unconvertible` for more than low-rank factors and biases.
    init(_ conversion: AdapterConversion) throws(AdapterError) {
        path = conversion.path
        let file = conversion.file
        var adapter = PEFTAdapter(
            configuration: file.configuration.object, tensors: file.tensors)
        bias = adapter.configuration["bias"] ?? .string("none")
        guard file.peftType == LoRA.peftType, ["all", "lora_only"].contains(bias.stringValue) else {
            biases = []
            lora = try PlainLoRA(file, for: .converting(path))
            return
        }
        adapter.configuration["bias"] = .string("none")
        biases = adapter.tensors.compactMap(Self.bias)
        adapter.tensors.removeAll { Self.bias($0) != nil }
        lora =
            adapter.tensors.isEmpty
            ? nil
            : try PlainLoRA(
                AdapterFile(adapter, file: file.tensorFile), for: .converting(path))
    }

    /// A trained bias of the base, under its own name; nil for other tensors.
    private static func bias(_ tensor: AdapterTensor) -> AdapterTensor? {
        guard tensor.name.hasPrefix(PEFTAdapter.prefix), tensor.name.hasSuffix(Loralib.suffixBias),
            !tensor.name.hasSuffix(".lora_B.bias")
        else { return nil }
        var module = tensor.name.dropFirst(PEFTAdapter.prefix.count)
            .dropLast(Loralib.suffixBias.count)
        if module.hasSuffix(".base_layer") { module = module.dropLast(".base_layer".count) }
        return tensor.renamed(module + Loralib.suffixBias)
    }

    func write(to output: String) throws(AdapterError) -> AdapterConversion.Report {
        var tensors = biases
        for tensor in tensors { try tensor.checkFinite(file: path) }
        var settings: JSONObject = ["format": .string("loralib"), "bias": bias]
        if let lora { try add(lora, to: &tensors, &settings) }
        try StateDictDirectory(
            tensorName: Loralib.tensorName, tensors: tensors,
            settingsName: Loralib.configurationName, settings: settings
        ).write(to: output)
        return AdapterConversion.Report(
            tensorCount: tensors.count, notes: lora?.warnings ?? [])
    }

    private func add(
        _ lora: PlainLoRA, to tensors: inout [AdapterTensor], _ settings: inout JSONObject
    ) throws(AdapterError) {
        let ranks = Set(lora.factors.values.map(\.rank))
        guard let rank = ranks.first, ranks.count == 1 else {
            throw .unconvertible(
                path: path,
                reason: "loralib's settings have one rank, it has "
                    + ranks.sorted().map(String.init).joined(separator: ", "))
        }
        let alpha = lora.commonAlpha
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
        settings["r"] = .integer(Int64(rank))
        settings["lora_alpha"] = alpha.asJSON
    }
}

/// Writes a prefix as THUDM's prefix encoder, without a projection; the layout is in
/// `PrefixEncoder`.
struct PrefixEncoderWriter {
    private let conversion: AdapterConversion

    /// - Throws: `AdapterError.unconvertible` for other methods.
    init(_ conversion: AdapterConversion) throws(AdapterError) {
        guard conversion.file.peftType == PrefixTuning.peftType else {
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
