import Adapters
import Foundation
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

/// What a combination means for a request, and which adapters can't be combined.
@Suite struct CombiningTests {
    private let reading: AdapterReading
    private let query = AdapterFixture.query
    private let value = "model.layers.1.self_attn.v_proj"

    init() throws { reading = try AdapterReading() }

    private func combine(
        _ fixtures: [AdapterFixture], weights: [Double] = [0.7, -0.3],
        _ options: CombinationOptions = CombinationOptions(method: .cat), out: String = "mix"
    ) throws -> AdapterCombination.Report {
        let parts = try fixtures.enumerated().map { index, fixture in
            (
                name: "part\(index)",
                path: try fixture.write(to: reading.directory, name: "part\(index)"),
                weight: weights[index]
            )
        }
        return try AdapterCombination(parts, options: options).write(
            to: reading.directory.path + "/" + out)
    }

    private func failure(
        _ fixtures: [AdapterFixture], _ method: CombinationMethod = .cat
    ) -> String {
        reading.failure {
            _ = try combine(fixtures, CombinationOptions(method: method, density: 0.5))
        }
    }

    /// Without a base nobody knows which row is which; of other modules the order is the same.
    @Test func rowsInLlamaCppsOrderAreRefused() throws {
        let output = reading.directory.path + "/mix"
        func combine(_ fixture: GGUFLoRAFixture) throws -> [String] {
            let path = try fixture.write(to: reading.directory)
            return try AdapterCombination(
                [(name: "law", path: path, weight: 1)], options: CombinationOptions(method: .cat)
            ).write(to: output).notes
        }
        #expect(
            reading.failure { _ = try combine(GGUFLoRAFixture()) }
                == "adapter 'law' can't be combined: the rows of 'base_model.model.\(query).lora_B.weight' "
                + "are in llama.cpp's order, which the base's numbers of heads undo: convert it with graft "
                + "convert --base first")
        try FileManager.default.removeItem(atPath: reading.directory.path + "/lora.gguf")
        var others = GGUFLoRAFixture(alpha: nil)
        others.tensors = [
            FloatTensor("blk.0.attn_v.weight.lora_a", [2, 16], seed: 1),
            FloatTensor("blk.0.attn_v.weight.lora_b", [8, 2], seed: 2),
        ]
        let notes = try combine(others)
        #expect(notes.first?.contains("'adapter.lora.alpha' is missing") == true)
    }

    /// Merged weights of a mix of two adapters, and of the one adapter made from them.
    @Test(arguments: ["mix", "mix.lora"])
    func catIsTheMixItself(out: String) throws {
        let fixtures = [
            AdapterFixture.lora([query, value], rank: 2),
            AdapterFixture.lora([query], rank: 3, seed: 9, ["use_rslora": .bool(true)]),
        ]
        let report = try combine(fixtures, out: out)
        #expect(report.rank == 5)
        #expect(report.moduleCount == 2)
        let parts = try zip(["part0", "part1"], [0.7, -0.3] as [Float]).map { name, weight in
            SelectedOperators(
                name: name,
                operators: try reading.read(path: reading.directory.path + "/" + name).operators,
                weight: weight)
        }
        let whole = SelectedOperators(
            name: "mix",
            operators: try reading.read(path: reading.directory.path + "/" + out).operators,
            weight: 1)
        for slot in [LinearSlot.layer(0, .query), .layer(1, .value)] {
            let mixed = try reading.base.merged(at: slot, with: parts, pool: TinyBase.pool)
            let merged = try reading.base.merged(at: slot, with: [whole], pool: TinyBase.pool)
            for index in 0..<mixed.matrix.count {
                #expect(abs(mixed.matrix.pointer[index] - merged.matrix.pointer[index]) < 1e-5)
            }
        }
    }

    @Test func aLimitOfTheFirstAdapterDoesNotDropTheOthersModules() throws {
        let limited = AdapterFixture.lora(
            [query], targets: .array([.string("q_proj")]),
            ["layers_to_transform": .array([.integer(0)])])
        let other = AdapterFixture.lora([value], targets: .array([.string(value)]))
        _ = try combine([limited, other])
        let mix = try reading.read(path: reading.directory.path + "/mix")
        #expect(Set(mix.operators.linear.keys) == [.layer(0, .query), .layer(1, .value)])
    }

    @Test func stabilisedScalingIsSaidToDiffer() throws {
        let fixture = AdapterFixture.lora([query], ["use_rslora": .bool(true)])
        let report = try combine([fixture, fixture])
        #expect(report.notes.count == 1)
        #expect(report.notes[0].hasPrefix("'use_rslora' is false in the result"))
    }

    @Test func theReasonsForRefusalAreNamed() throws {
        let plain = AdapterFixture.lora([query])
        let cases: [(JSONObject, String)] = [
            (
                ["modules_to_save": .array([.string("norm")])],
                "'modules_to_save' is [\"norm\"]: whole modules are no low-rank factors"
            ),
            (
                ["use_dora": .bool(true)],
                "'use_dora' is true: a magnitude of DoRA is no low-rank factor"
            ),
            (["bias": .string("all")], "'bias' is \"all\": trained biases are no low-rank factors"),
        ]
        for (extra, reason) in cases {
            #expect(
                failure([plain, AdapterFixture.lora([query], extra)])
                    == "adapter 'part1' can't be combined: \(reason)")
        }
        #expect(
            failure([plain, AdapterFixture.lora([query], ["init_lora_weights": .string("pissa")])])
                .hasPrefix("adapter 'part1' can't be combined: 'init_lora_weights' is \"pissa\": "))
        #expect(
            failure([plain, .prefix()])
                == "adapter 'part1' can't be combined: its method is PREFIX_TUNING, only LoRA has factors"
        )
    }

    @Test func whatDoesNotFitTogetherIsRefused() throws {
        let plain = AdapterFixture.lora([query])
        #expect(
            failure([plain, AdapterFixture.lora([query], rank: 3)], .ties)
                == "adapter 'part1' can't be combined: its rank is 3, that of 'part0' 2: ties needs equal "
                + "ranks; use cat, svd or a method that ends in _svd")
        #expect(
            failure([plain, AdapterFixture.lora([query], targets: .string(".*q_proj"))])
                == "adapter 'part0' can't be combined: one adapter's 'target_modules' is a list, "
                + "another's a regular expression, which PEFT doesn't combine")
        var wider = AdapterFixture.lora([query])
        wider.tensors = [
            FloatTensor("base_model.model.\(query).lora_A.weight", [2, 24]),
            FloatTensor("base_model.model.\(query).lora_B.weight", [16, 2]),
        ]
        #expect(
            failure([plain, wider])
                == "adapter 'part1' can't be combined: its '\(query)' has 24 inputs and 16 outputs, that "
                + "of 'part0' 16 and 16: they were trained on different bases")
        var gaussian = plain
        gaussian.configuration["init_lora_weights"] = .string("orthogonal")
        #expect(
            failure([gaussian, plain], .dareLinear)
                == "adapter 'part0' can't be combined: 'init_lora_weights' is \"orthogonal\", whose random "
                + "draws before PEFT's own can't be reproduced: set it to true")
    }

    @Test func damagedFactorsAreRefused() throws {
        let plain = AdapterFixture.lora([query])
        var damaged = plain
        damaged.tensors[0].values[3] = .nan
        #expect(
            failure([plain, damaged])
                == "part1/adapter_model.safetensors: tensor 'base_model.model.\(query).lora_A.weight' has 1 "
                + "non-finite value (first at [0, 3]): the adapter is damaged or its training diverged"
        )
        var lonely = plain
        lonely.tensors.removeLast()
        #expect(
            failure([plain, lonely])
                == "part1/adapter_model.safetensors: tensor 'base_model.model.\(query).lora_B.weight' is "
                + "missing: 'base_model.model.\(query).lora_A.weight' has no partner")
        var foreign = plain
        foreign.tensors.append(FloatTensor("base_model.model.\(query).magnitude", [16]))
        #expect(
            failure([plain, foreign])
                == "part1/adapter_model.safetensors: unexpected tensor 'base_model.model.\(query).magnitude': "
                + "it is no low-rank factor, and nothing else is expected here")
    }

    @Test func nothingIsOverwritten() throws {
        let plain = AdapterFixture.lora([query])
        _ = try combine([plain, plain])
        #expect(
            reading.failure { _ = try combine([plain, plain]) }
                == "mix: exists and is not empty: name a new directory")
    }
}
