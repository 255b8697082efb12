import StrictJSON
import Testing
import Transformer

import Adapters

/// Configurations and tensors that can't be right, and the sentence that each gets.
@Suite struct LoRAMalformedTests {
    let reading: AdapterReading
    let config = "adapter/adapter_config.json"
    let file = "adapter/adapter_model.safetensors"

    init() throws { reading = try AdapterReading() }

    @Test(arguments: [
        ("r", "0", "expected a whole number from 1 to 32768"),
        ("r", "-8", "expected a whole number from 1 to 32768"),
        ("r", "1.5", "expected a whole number from 1 to 32768"),
        ("r", "\"8\"", "expected a whole number from 1 to 32768"),
        ("r", "2147483648", "expected a whole number from 1 to 32768"),
        ("lora_alpha", "\"4\"", "expected a number from -1000000 to 1000000"),
        ("use_rslora", "\"yes\"", "expected true or false"),
        ("bias", "\"some\"", "expected \"none\", \"all\" or \"…_only\""),
        ("target_modules", "[1]", "expected a list of names"),
        ("rank_pattern", "[]", "expected an object"),
    ])
    func settingsAreChecked(name: String, value: String, reason: String) throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        fixture.configuration[name] = try JSONValue(parsing: value)
        #expect(reading.failure(fixture) == "\(config): '\(name)' is \(value), \(reason)")
    }

    @Test(arguments: [
        "use_qalora", "arrow_config", "megatron_config",
    ])
    func unsupportedSettingsAreRefusedByName(name: String) {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        fixture.configuration[name] = .array([.integer(1)])
        #expect(reading.failure(fixture).hasPrefix("\(config): not supported: '\(name)' is [1]: "))
    }

    private static let conversion =
        "its training began by taking a part out of the base that the file doesn't determine; convert it "
        + "to plain LoRA with PEFT's save_pretrained(path_initial_model_for_weight_conversion=…)"

    /// Each sentence says what is to be done.
    @Test(arguments: [
        ("pissa_niter_4", conversion), ("corda", conversion), ("lora_ga", conversion),
        (
            "loftq",
            "its training began by quantising the base's weights; save the quantised base, and set "
                + "init_lora_weights to true to serve the adapter on that base"
        ),
        (
            "milora",
            "its training began by taking the smallest singular components out of the base, for which "
                + "PEFT has no form; save the base that was trained on, and set init_lora_weights to true "
                + "to serve the adapter on that base"
        ),
    ])
    func initializationsThatChangeTheBaseAreRefused(method: String, reason: String) {
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query], ["init_lora_weights": .string(method)])
        #expect(
            reading.failure(fixture)
                == "\(config): not supported: 'init_lora_weights' is \"\(method)\": " + reason)
    }

    @Test(arguments: ["[[0,3]]", "[[1,0]]", "[[0]]", "[3]", "[[-1,1]]", "[[1,1]]", "{\"0\":1}"])
    func replicatedLayersMustBeTheBases(ranges: String) throws {
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query], ["layer_replication": try JSONValue(parsing: ranges)])
        #expect(
            reading.failure(fixture)
                == "\(config): 'layer_replication' is \(ranges), expected ranges [first, end] within the "
                + "base's 2 layers, of at most 4096 layers together")
    }

    @Test func tensorsOfReplicatedLayersHaveTheirNumbers() throws {
        let ranges = try JSONValue(parsing: "[[0,2],[1,2]]")
        let fixture = AdapterFixture.lora(
            ["model.layers.2.self_attn.q_proj"], ["layer_replication": ranges])
        let adapter = try reading.read(fixture)
        #expect(adapter.targets == "q_proj, layers 0 1 1")
        #expect(adapter.operators.repeatedBase?.slots.layerCount == 3)
        let beyond = AdapterFixture.lora(
            ["model.layers.3.self_attn.q_proj"], targets: .array([.string("q_proj")]),
            ["layer_replication": ranges])
        #expect(
            reading.failure(beyond)
                == "\(file): unexpected tensor "
                + "'base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight': it is for layer 3, the "
                + "base has layers 0 to 2")
        let failure = AdapterFailure.description {
            _ = try adapter.operators.merged(
                name: "law", into: reading.base, weight: 1, pool: TinyBase.pool)
        }
        #expect(
            failure
                == "adapter 'law' is no change of weights and can't be merged: it repeats layers, whose "
                + "copies have the same weights and not the same changes; serve it attached")
    }

    @Test func absentTargetsListTheBasesModules() {
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query], targets: .array([.string("c_attn")]))
        #expect(
            reading.failure(fixture)
                == "\(config): 'target_modules' is [\"c_attn\"]: no target module matched; base has: "
                + "embed_tokens, input_layernorm, post_attention_layernorm, q_proj, k_proj, v_proj, "
                + "o_proj, gate_proj, up_proj, down_proj, norm, lm_head")
    }

    @Test func anExplosivePatternEndsInBoundedTime() {
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query], targets: .string("((([a-z_.0-9]+)+)+)+$!"))
        #expect(reading.failure(fixture).contains("'target_modules'"))
    }

    /// Each of these alone would be within any limit of one match.
    @Test func anAdaptersPatternsShareTheirSteps() {
        var keys: JSONObject = [:]
        for number in 0..<4096 {
            keys["([a-z_.0-9]+){1,4}[!?]|\(number)"] = .integer(2)
        }
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query], ["rank_pattern": .object(keys)])
        #expect(reading.failure(fixture).contains("it needs too many steps"))
    }

    @Test(arguments: [
        (#"\z"#, #"bad escape \z"#), ("(?|q_proj)", "unknown extension ?|"),
        (#"a\Kq_proj"#, #"bad escape \K"#), ("q_proj(?i)", "global flags not at the start"),
    ])
    func whatPythonCantReadIsRefused(pattern: String, reason: String) {
        let failure = reading.failure(.lora([AdapterFixture.query], targets: .string(pattern)))
        #expect(failure.contains("'target_modules' holds the regular expression '\(pattern)'"))
        #expect(failure.contains(reason))
    }

    @Test func tensorsMustAgreeWithTheConfiguration() {
        let name = "base_model.model.\(AdapterFixture.query)"
        var rank = AdapterFixture.lora([AdapterFixture.query])
        rank.configuration["r"] = .integer(4)
        #expect(
            reading.failure(rank)
                == "\(file): tensor '\(name).lora_A.weight' has shape [2, 16], expected [4, 16]: "
                + "'r' and 'rank_pattern' give '\(AdapterFixture.query)' rank 4")
        var alone = AdapterFixture.lora([AdapterFixture.query])
        alone.tensors.removeLast()
        #expect(
            reading.failure(alone)
                == "\(file): tensor '\(name).lora_B.weight' is missing: '\(name).lora_A.weight' has "
                + "no partner")
        var transposed = AdapterFixture.lora([AdapterFixture.query])
        transposed.tensors[1] = FloatTensor(name + ".lora_B.weight", [2, 16])
        #expect(
            reading.failure(transposed)
                == "\(file): tensor '\(name).lora_B.weight' has shape [2, 16], expected [16, 2]: "
                + "it is transposed")
        var wide = AdapterFixture.lora([AdapterFixture.query])
        wide.tensors[0] = FloatTensor(name + ".lora_A.weight", [2, 20])
        #expect(
            reading.failure(wide)
                == "\(file): tensor '\(name).lora_A.weight' has shape [2, 20], expected [2, 16]: "
                + "the adapter expects 20 inputs, the base's '\(AdapterFixture.query)' has 16: "
                + "it was trained on another base")
    }

    @Test func tensorsWithoutAPlaceAreNamed() {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        func failure(adding name: String) -> String {
            var changed = fixture
            changed.tensors.append(FloatTensor(name, [2, 16]))
            return reading.failure(changed)
        }
        let prefix = "base_model.model."
        #expect(
            failure(adding: prefix + "model.layers.999.self_attn.q_proj.lora_A.weight")
                == "\(file): unexpected tensor '\(prefix)model.layers.999.self_attn.q_proj."
                + "lora_A.weight': it is for layer 999, the base has layers 0 to 1")
        #expect(
            failure(adding: prefix + "model.layers.0.mlp.up_proj.lora_A.weight").hasSuffix(
                "the configuration's 'target_modules' don't target 'model.layers.0.mlp.up_proj', "
                    + "or it is of another kind"))
        #expect(failure(adding: "stray").hasSuffix("PEFT's names begin with 'base_model.model.'"))
        #expect(
            failure(adding: prefix + AdapterFixture.query + ".lora_magnitude_vector").hasSuffix(
                "the configuration doesn't set 'use_dora', or doesn't target "
                    + "'\(AdapterFixture.query)'"))
    }

    @Test func tablesThatAreOneAreNotChangedApart() throws {
        let tied = try AdapterReading(TinyBase(isTied: true))
        for ties in [false, true] {
            let pissa = AdapterFixture.lora(
                ["lm_head"],
                ["init_lora_weights": .string("pissa"), "ensure_weight_tying": .bool(ties)])
            #expect(
                tied.failure(pissa)
                    == "\(config): 'target_modules' names 'lm_head': training took a part out of it, "
                    + "and the base's embedding is the same table")
        }
        let tokens = AdapterFixture.lora(
            [AdapterFixture.query],
            [
                "trainable_token_indices": .object([
                    "embed_tokens": .array([.integer(3)]), "lm_head": .array([.integer(4)]),
                ])
            ])
        #expect(
            tied.failure(tokens)
                == "\(config): not supported: 'trainable_token_indices' is other tokens for each "
                + "table: the base's head is its embedding")
    }

    @Test func whatIsLeftOfTheHeadMustBeOfThisBase() throws {
        var fixture = AdapterFixture.lora(["lm_head"], ["init_lora_weights": .string("pissa")])
        let name = "base_model.model.lm_head.base_layer.weight"
        fixture.tensors.append(FloatTensor(name, [32, 16]))
        #expect(
            reading.failure(fixture).contains(
                "it isn't what is left of the base's: the adapter was trained on another base"))
    }

    @Test func nonFiniteValuesAreCounted() {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        fixture.tensors[0].values[5] = .nan
        fixture.tensors[0].values[17] = .infinity
        #expect(
            reading.failure(fixture)
                == "\(file): tensor 'base_model.model.\(AdapterFixture.query).lora_A.weight' has 2 "
                + "non-finite values (first at [0, 5]): the adapter is damaged or its training diverged"
        )
    }

    @Test func unknownSettingsWarnOrRefuse() throws {
        let fixture = AdapterFixture.lora(
            [AdapterFixture.query],
            [
                "brand_new": .integer(3), "quiet": .null, "off": .bool(false),
                "empty": .object([:]),
                "megatron_core": .string("os"),
            ])
        let warnings = try reading.read(fixture).warnings
        #expect(warnings.count == 1)
        #expect(warnings[0].hasSuffix("unknown setting 'brand_new' is 3 and was ignored"))
        #expect(reading.failure(fixture, strict: true).contains("unknown setting 'brand_new' is 3"))
    }

    /// With PEFT's word for no module and nothing beside it the base would answer.
    @Test func anAdapterThatChangesNothingIsRefused() throws {
        let fixture = AdapterFixture.lora([], targets: .string("dummy-target-modules"))
        #expect(
            reading.failure(fixture)
                == "adapter/adapter_config.json: it changes nothing, so that the base would answer: "
                + "check what it was saved from")
    }
}
