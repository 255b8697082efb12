import Checkpoints
import Foundation
import StrictJSON

/// A mixture of two LoRAs of rank 2 on `AdapterFixture.query`, made in code for `TinyBase`.
struct MixtureFixture {
    enum Kind: CaseIterable, Sendable { case arrow, xlora }

    let kind: Kind
    /// Where the experts are said to lie.
    var places = ["task0", "task1"]
    /// Where they do lie, below the mixture's directory.
    var experts: [(name: String, adapter: AdapterFixture)] = [
        ("task0", expert(seed: 3)), ("task1", expert(seed: 70)),
    ]
    /// Settings beside those that name the experts.
    var extra = JSONObject()

    init(_ kind: Kind) { self.kind = kind }

    static func expert(seed: UInt64, rank: Int = 2, _ extra: JSONObject = [:]) -> AdapterFixture {
        AdapterFixture.lora([AdapterFixture.query], rank: rank, seed: seed, extra)
    }

    var configuration: JSONObject {
        var configuration: JSONObject
        switch kind {
        case .arrow:
            configuration = [
                "experts": .array(places.map(JSONValue.string)), "rng_seed": .integer(7),
                "top_k": .integer(1),
            ]
        case .xlora:
            var adapters = JSONObject()
            for (index, place) in places.enumerated() { adapters["\(index)"] = .string(place) }
            configuration = [
                "peft_type": .string("XLORA"), "hidden_size": .integer(16),
                "adapters": .object(adapters),
            ]
        }
        for (key, value) in extra { configuration[key] = value }
        return configuration
    }

    /// X-LoRA's classifier of one layer.
    static let classifier = [
        FloatTensor("base_model.internal_xlora_classifier.layers.0.weight", [2, 16], seed: 9),
        FloatTensor("base_model.internal_xlora_classifier.layers.0.bias", [2], seed: 10),
    ]

    var configurationName: String { kind == .arrow ? "arrow_config.json" : "adapter_config.json" }

    /// The mixture's directory.
    @discardableResult
    func write(to directory: ScratchDirectory, name: String = "mix") throws -> String {
        let path = directory.path + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try AtomicFile.write(
            JSONValue.object(configuration).serialized(), to: path + "/" + configurationName)
        if kind == .xlora {
            try FloatTensor.write(Self.classifier, to: path + "/adapter_model.safetensors")
        }
        for (expert, adapter) in experts {
            try adapter.write(to: directory, name: "\(name)/\(expert)")
        }
        return path
    }
}
