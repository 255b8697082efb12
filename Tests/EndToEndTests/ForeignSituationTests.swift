import Adapters
import Checkpoints
import Foundation
import Testing
import Transformer

/// What `graft convert` and `graft combine` make of adapters as people have them, served and held
/// against what PEFT answers. The files are those of tools/goldens/cases/group_foreign.py.
struct ForeignSituationTests {
    private let directory: TemporaryDirectory
    private let tokens = (1...16).map(Int32.init)

    init() throws { directory = try TemporaryDirectory() }

    private func golden(_ path: String) -> String { "\(Situation.folder)/\(path)" }

    private func base(_ name: String) -> String { "\(Situation.folder)/bases/\(name)" }

    /// The log-probabilities that PEFT has for a variant.
    private func expected(_ group: String, _ name: String) throws -> [Float] {
        try SafetensorsFile(path: golden(group) + "/expected.safetensors").requiredTensor(name)
            .floats()
    }

    /// Those of an adapter on a base.
    private func served(_ path: String, base name: String = "L3") throws -> [Float] {
        let base = try SituationTests.base(name)
        let adapter = try AdapterReader.read(
            name: "a", path: path, slots: base.slots, base: base, pool: GoldenTests.pool)
        return try logprobs([(adapter, 1)], base)
    }

    private func logprobs(
        _ adapters: [(adapter: LoadedAdapter, weight: Float)], _ base: BaseModel
    ) throws -> [Float] {
        let parts = adapters.enumerated().map { index, part in
            SelectedOperators(
                name: "a\(index)", operators: part.adapter.operators, weight: part.weight)
        }
        return SequenceRunner(
            base: base, plan: try AdapterPlan(parts, slots: base.slots), pool: GoldenTests.pool
        ).logprobs(tokens)
    }

    private func difference(_ first: [Float], _ second: [Float]) -> Float {
        guard first.count == second.count else { return .infinity }
        return zip(first, second).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    private func convert(
        _ source: String, to format: AdapterFormat = .peft, base name: String = "L3", out: String
    ) throws -> String {
        let output = directory.path + "/" + out
        _ = try AdapterConversion(from: source, basePath: base(name)).write(as: format, to: output)
        return output
    }

    @Test func aPickledPEFTDirectoryIsConverted() throws {
        let out = try convert(golden("pickle-beside/pickle-alone"), out: "peft")
        #expect(try difference(served(out), expected("pickle-beside", "both")) < 1e-3)
        let error = #expect(throws: AdapterError.self) {
            try convert(golden("pickle-beside/empty-pickle"), out: "empty")
        }
        #expect(
            error?.description.hasSuffix(
                "empty-pickle/adapter_model.bin: it holds no tensors: was anything trained when it was "
                    + "saved?") == true)
    }

    @Test(arguments: ["plain", "network", "network-said"])
    func aPrefixEncoderOfTorchIsConverted(variant: String) throws {
        let out = try convert(
            golden("ptuning-checkpoint/\(variant)/pytorch_model.bin"), out: variant)
        let found = try served(out)
        #expect(try difference(found, expected("ptuning-checkpoint", variant)) < 1e-3)
    }

    /// The adapter of a folder is what lies at its top, whatever lies below.
    @Test func whatLiesBelowAnAdapterIsNoPartOfIt() throws {
        let copy = directory.path + "/alone"
        try FileManager.default.copyItem(atPath: golden("run-folder/run2"), toPath: copy)
        try FileManager.default.removeItem(atPath: copy + "/reference")
        let hashes = try [copy, golden("run-folder/run2")].map {
            try AdapterInspection(path: $0).hash
        }
        #expect(hashes[0] == hashes[1])
    }

    /// llama.cpp has one alpha and no rsLoRA: what it can't say goes into B.
    @Test(arguments: ["patterns", "ranks"])
    func rankStabilisedScalingsSurviveGGUF(variant: String) throws {
        let expected = try expected("rslora-scale", variant)
        let gguf = try convert(
            golden("rslora-scale/\(variant)"), to: .gguf, out: variant + ".gguf")
        #expect(try difference(served(gguf), expected) < 1e-3)
        let peft = try convert(gguf, out: variant)
        #expect(try difference(served(peft), expected) < 1e-3)
        let again = try convert(peft, to: .gguf, out: variant + "-again.gguf")
        #expect(try difference(served(again), expected) < 1e-3)
        // On llama.cpp's file of the same base, whose rows of q and k lie in another order.
        let ofGGUF = try convert(
            golden("rslora-scale/\(variant)"), to: .gguf, base: "L3g", out: variant + "-g.gguf")
        for adapter in [golden("rslora-scale/\(variant)"), gguf, peft, ofGGUF] {
            #expect(try difference(served(adapter, base: "L3g"), expected) < 1e-3, "\(adapter)")
        }
        let back = try convert(ofGGUF, base: "L3g", out: variant + "-of-g")
        #expect(try difference(served(back), expected) < 1e-3)
    }

    private func combine(
        _ adapters: [(name: String, weight: Double)], _ options: CombinationOptions
    ) throws -> String {
        let output = directory.path + "/combined-\(UUID().uuidString.prefix(8))"
        _ = try AdapterCombination(
            adapters.map {
                (name: $0.name, path: golden("combine-identity/\($0.name)"), weight: $0.weight)
            }, options: options
        ).write(to: output)
        return output
    }

    /// By each method, at the density that keeps everything.
    @Test(arguments: CombinationMethod.allCases)
    func oneAdapterAtWeightOneIsThatAdapter(method: CombinationMethod) throws {
        for name in ["plain", "rslora"] {
            let out = try combine([(name, 1)], CombinationOptions(method: method))
            let alone = try served(golden("combine-identity/\(name)"))
            #expect(try difference(served(out), alone) < 1e-4, "\(name)")
        }
        for (name, setting) in [("lora-bias", "lora_bias"), ("dora", "use_dora")] {
            let error = #expect(throws: AdapterError.self) {
                try combine([(name, 1)], CombinationOptions(method: method))
            }
            #expect(error?.description.contains("'\(setting)' is true") == true)
        }
    }

    @Test func negativeWeightsMeanWhatTheServedMixMeans() throws {
        let base = try SituationTests.base("L3")
        var mixed: [(adapter: LoadedAdapter, weight: Float)] = []
        for (name, weight) in [("plain", Float(0.7)), ("other", -0.4)] {
            let adapter = try AdapterReader.read(
                name: name, path: golden("combine-identity/\(name)"), slots: base.slots,
                base: base, pool: GoldenTests.pool)
            mixed.append((adapter, weight))
        }
        let mix = try logprobs(mixed, base)
        #expect(try difference(mix, expected("combine-identity", "mix-cat")) < 1e-3)
        let weights = [("plain", 0.7), ("other", -0.4)]
        let cat = try combine(weights, CombinationOptions(method: .cat))
        #expect(try difference(served(cat), mix) < 1e-3)
        let svd = try combine(weights, CombinationOptions(method: .svd, rank: 8))
        #expect(try difference(served(svd), mix) < 1e-3)
        let linear = try combine(weights, CombinationOptions(method: .linear))
        #expect(
            try difference(served(linear), expected("combine-identity", "mix-linear")) < 1e-3)
    }

    /// The same content under two names.
    @Test(arguments: [CombinationMethod.cat, .svd, .linear])
    func oppositeWeightsOfOneContentAreTheBase(method: CombinationMethod) throws {
        let output = directory.path + "/nothing"
        let path = golden("combine-identity/plain")
        _ = try AdapterCombination(
            [(name: "one", path: path, weight: 1), (name: "same", path: path, weight: -1)],
            options: CombinationOptions(method: method, rank: method == .svd ? 8 : nil)
        ).write(to: output)
        let base = try SituationTests.base("L3")
        let plain = try logprobs([], base)
        #expect(try difference(served(output), plain) < 1e-4)
    }
}
