import Checkpoints
import Foundation
import StrictJSON

/// An adapter in the layout of AdapterHub, made in code for `TinyBase`.
struct AdapterHubFixture {
    var configuration: JSONObject
    var tensors: [FloatTensor]
    var version: String? = "adapters.1.3.0"
    var hiddenSize = 16
    /// Settings beside the method's.
    var extra = JSONObject()
    /// Tensors of a head that is saved along.
    var head: [FloatTensor] = []

    /// A bottleneck of width 4 behind both layers' feed-forward parts.
    static func bottleneck(
        width: Int = 4, place: String = "output_adapters", _ extra: JSONObject = [:]
    ) -> AdapterHubFixture {
        var configuration: JSONObject = [
            "mh_adapter": .bool(place == "attention_adapters"),
            "output_adapter": .bool(place == "output_adapters"),
            "reduction_factor": .integer(4), "non_linearity": .string("relu"),
            "original_ln_before": .bool(true), "original_ln_after": .bool(true),
            "dropout": .number(0),
        ]
        for (key, value) in extra { configuration[key] = value }
        let tensors = (0..<2).flatMap { layer -> [FloatTensor] in
            let name = "model.layers.\(layer).\(place).adapters.law."
            return [
                FloatTensor(name + "adapter_down.0.weight", [width, 16], seed: 1),
                FloatTensor(name + "adapter_down.0.bias", [width], seed: 2),
                FloatTensor(name + "adapter_up.weight", [16, width], seed: 3),
                FloatTensor(name + "adapter_up.bias", [16], seed: 4),
            ]
        }
        return AdapterHubFixture(configuration: configuration, tensors: tensors)
    }

    static func lora(_ extra: JSONObject = [:]) -> AdapterHubFixture {
        var configuration: JSONObject = [
            "architecture": .string("lora"), "r": .integer(2), "alpha": .integer(6),
            "composition_mode": .string("add"),
        ]
        for (key, value) in extra { configuration[key] = value }
        let name = "model.layers.0.self_attn.q_proj.loras.law."
        return AdapterHubFixture(
            configuration: configuration,
            tensors: [
                FloatTensor(name + "lora_A", [2, 16], seed: 1),
                FloatTensor(name + "lora_B", [16, 2], seed: 2),
            ])
    }

    /// A flat prefix of 3 tokens.
    static func prefix(_ extra: JSONObject = [:]) -> AdapterHubFixture {
        var configuration: JSONObject = [
            "architecture": .string("prefix_tuning"), "prefix_length": .integer(3),
            "flat": .bool(true), "bottleneck_size": .integer(8), "cross_prefix": .bool(true),
        ]
        for (key, value) in extra { configuration[key] = value }
        let name = "model.layers.0.self_attn.prefix_tuning.pool.prefix_tunings.law.self_prefix."
        return AdapterHubFixture(
            configuration: configuration,
            tensors: [FloatTensor(name + "control_trans", [3 * 2 * 2 * 8], seed: 1)])
    }

    /// The directory's path.
    @discardableResult
    func write(to directory: ScratchDirectory, name: String = "hub") throws -> String {
        let path = directory.path + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var whole: JSONObject = [
            "config": .object(configuration), "hidden_size": .integer(Int64(hiddenSize)),
            "model_type": .string("llama"), "name": .string("law"),
        ]
        whole["version"] = version.map(JSONValue.string)
        for (key, value) in extra { whole[key] = value }
        try AtomicFile.write(
            JSONValue.object(whole).serialized(), to: path + "/adapter_config.json")
        try FloatTensor.write(tensors, to: path + "/adapter.safetensors")
        if !head.isEmpty { try FloatTensor.write(head, to: path + "/model_head.safetensors") }
        return path
    }
}
