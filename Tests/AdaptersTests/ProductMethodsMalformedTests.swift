import Adapters
import Checkpoints
import StrictJSON
import Testing
import Transformer

/// Methods that change weights: what is missing, of another shape or unsupported, and the sentence
/// that it gets.
@Suite struct ProductMethodsMalformedTests {
    let reading: AdapterReading
    let config = "adapter/adapter_config.json"
    let file = "adapter/adapter_model.safetensors"

    init() throws { reading = try AdapterReading() }

    @Test(arguments: ProductFixture.allCases)
    func validAdaptersAreRead(method: ProductFixture) throws {
        let adapter = try reading.read(method.fixture, strict: true)
        #expect(adapter.operators.linear.count == 1)
        #expect(adapter.parameterCount > 0)
        #expect(adapter.warnings.isEmpty)
    }

    @Test(arguments: ProductFixture.allCases)
    func aMissingTensorIsNamed(method: ProductFixture) {
        let fixture = method.fixture
        for index in fixture.tensors.indices {
            var partial = fixture
            let name = partial.tensors.remove(at: index).name
            // A file without tensors is no file.
            if partial.tensors.isEmpty {
                partial.tensors = [FloatTensor("other", [1])]
                #expect(
                    reading.failure(partial).hasPrefix("\(file): unexpected tensor 'other': "))
            } else {
                #expect(
                    reading.failure(partial).hasPrefix("\(file): tensor '\(name)' is missing: "),
                    "\(reading.failure(partial))")
            }
        }
    }

    @Test(arguments: ProductFixture.allCases)
    func anotherShapeIsNamedWithTheReason(method: ProductFixture) {
        let fixture = method.fixture
        for index in fixture.tensors.indices {
            var reshaped = fixture
            let tensor = reshaped.tensors[index]
            var shape = tensor.shape
            shape[shape.count - 1] += 1
            var other = FloatTensor(tensor.name, shape, type: tensor.type)
            if tensor.type != .f32 { other.values = other.values.map { _ in 0 } }
            reshaped.tensors[index] = other
            // What one tensor's shape says, another may have to follow.
            let message = reading.failure(reshaped)
            #expect(message.contains(" has shape ["), "\(message)")
            #expect(message.hasPrefix("\(file): tensor '"), "\(message)")
        }
    }

    @Test(arguments: ProductFixture.allCases)
    func aTensorOfAnotherMethodIsNamed(method: ProductFixture) {
        var fixture = method.fixture
        fixture.tensors.append(
            FloatTensor("base_model.model.\(AdapterFixture.query).lora_A.weight", [2, 16]))
        #expect(
            reading.failure(fixture).hasPrefix(
                "\(file): unexpected tensor 'base_model.model.\(AdapterFixture.query).lora_A.weight'"
            ))
    }

    @Test(arguments: [
        (ProductFixture.miss, "r", "0", "expected a whole number from 1 to 32768"),
        (.miss, "init_weights", "\"bone\"", "expected true, false, \"bat\" or \"mini\""),
        (
            .missMini, "mini_r", "3",
            "expected a divisor of 16, the outputs of 'model.layers.0.self_attn.q_proj'"
        ),
        (
            .missBat, "r", "5",
            "expected with \"bat\", a divisor of both sides of "
                + "'model.layers.0.self_attn.q_proj', [16, 16]"
        ),
        (.bone, "init_weights", "\"mini\"", "expected true, false or \"bat\""),
        (.delora, "rank_pattern", "[]", "expected an object"),
        (.gralora, "gralora_k", "3", "expected a divisor of 'r', 4"),
        (.gralora, "alpha", "\"4\"", "expected a number from -1000000 to 1000000"),
        (
            .c3a, "block_size", "5",
            "expected a divisor of both sides of 'model.layers.0.self_attn.q_proj', [16, 16]"
        ),
        (
            .waveft, "n_frequency", "257",
            "expected at most 256, the weights of 'model.layers.0.self_attn.q_proj'"
        ),
        (.waveft, "random_loc_seed", "-1", "expected a whole number from 0"),
        (
            .waveft, "wavelet_family", "\"db11\"",
            "expected db1 to db10, sym2 to sym10, or coif1 to coif3"
        ),
        (
            .glora, "config_C", "\"constant\"", "expected \"lora\", \"vector\", \"none\""
        ),
        (.osf, "effective_rank", "0", "expected a count from 1, or a share from 0 to 1"),
        (.osf, "effective_rank", "\"half\"", "expected a count from 1, or a share from 0 to 1"),
        (.deft, "decomposition_method", "\"svd\"", "expected \"relu\", \"qr\""),
        (.peanut, "depth", "65", "expected a whole number from 1 to 64"),
        (.supertuning, "sparsity", "1.0", "expected a number from 0, below 1"),
        (.tinylora, "weight_tying", "1.5", "expected a number from 0 to 1"),
        (.unilora, "proj_seed", "\"42\"", "expected a whole number from 0"),
    ])
    func settingsAreChecked(
        method: ProductFixture, name: String, value: String, reason: String
    ) throws {
        var fixture = method.fixture
        fixture.configuration[name] = try JSONValue(parsing: value)
        #expect(reading.failure(fixture) == "\(config): '\(name)' is \(value), \(reason)")
    }

    @Test(arguments: [
        (ProductFixture.frod, "save_projection", "false", "save_projection set"),
        (.waveft, "wavelet_family", "\"coif4\"", "are no wavelet's"),
        (.peanut, "act_fn", "\"prelu\"", "supported are gelu, gelu_10, "),
        (.psoft, "psoft_svd", "\"lowrank\"", "merge it with PEFT where it was trained"),
    ])
    func unsupportedSettingsAreRefusedWithTheReason(
        method: ProductFixture, name: String, value: String, reason: String
    ) throws {
        var fixture = method.fixture
        fixture.configuration[name] = try JSONValue(parsing: value)
        let message = reading.failure(fixture)
        #expect(message.hasPrefix("\(config): not supported: '\(name)' is \(value): "))
        #expect(message.contains(reason), "\(message)")
    }

    @Test(arguments: [
        (
            ProductFixture.supertuning, "supertuning_indices", Float(256),
            "it has 256, and the places of weights go from 0 to 255"
        ),
        (
            .uniloraSaved, "unilora_indices_A", -1,
            "it has -1, and the places of 'theta_d' go from 0 to 4"
        ),
        (.frod, "frod_s_indices.self_attn_q_proj", 16, "it has 16, and the inputs go from 0 to 15"),
        (
            .frod, "frod_s_size.self_attn_q_proj", 9,
            "modules of kind 'self_attn_q_proj' have 16 inputs"
        ),
        (.glora, "glora_E.zeros", 1, "the configuration has no term E, so that all must be 0"),
    ])
    func valuesThatCannotBeAreNamed(
        method: ProductFixture, ending: String, value: Float, reason: String
    ) throws {
        var fixture = method.fixture
        let index = try #require(fixture.tensors.firstIndex { $0.name.hasSuffix(ending) })
        fixture.tensors[index].values[0] = value
        #expect(
            reading.failure(fixture)
                == "\(file): tensor '\(fixture.tensors[index].name)' can't be used: \(reason); "
                + "use the file as it was saved")
    }

    @Test func indicesThatAreNoIntegersAreRefused() throws {
        var fixture = ProductFixture.supertuning.fixture
        let index = try #require(
            fixture.tensors.firstIndex { $0.name.hasSuffix("supertuning_indices") })
        fixture.tensors[index].type = .f32
        #expect(
            reading.failure(fixture)
                == "\(file): tensor '\(fixture.tensors[index].name)' is of type F32; supported are "
                + "I64, I32, I16 and U8")
    }

    @Test func sharedVectorsWithoutAnInverseAreRefused() throws {
        var fixture = ProductFixture.frod.fixture
        let index = try #require(fixture.tensors.firstIndex { $0.name.contains("frod_V") })
        fixture.tensors[index].values = fixture.tensors[index].values.map { _ in 0 }
        #expect(reading.failure(fixture).contains("can't be used: it has no inverse"))
    }

    @Test func weightsOfEqualMagnitudeLeaveTheChoiceOpen() throws {
        let coarse = try AdapterReading(TinyBase(elementType: .bf16))
        var fixture = ProductFixture.supertuning.fixture
        fixture.configuration["save_precomputed_indices"] = .bool(false)
        fixture.configuration["sparsity"] = .number(0.1)
        fixture.tensors.removeAll { $0.name.hasSuffix("supertuning_indices") }
        fixture.tensors[0] = FloatTensor(fixture.tensors[0].name, [230])
        #expect(
            coarse.failure(fixture).contains(
                "'save_precomputed_indices' is false: weights of "
                    + "'model.layers.0.self_attn.q_proj' have equal magnitudes"))
    }

    @Test func moreDrawsThanFitAreRefused() {
        let module = "base_model.model.\(AdapterFixture.query)"
        let fixture = AdapterFixture(
            configuration: [
                "peft_type": .string("TINYLORA"), "r": .integer(16), "u": .integer(1 << 20 + 1),
                "save_projection": .bool(false),
                "target_modules": .array([.string("layers.0.self_attn.q_proj")]),
            ],
            tensors: [
                FloatTensor(module + ".tinylora_A", [16, 16]),
                FloatTensor(module + ".tinylora_B", [16, 16]),
                FloatTensor("base_model.tinylora_v.0", [1 << 20 + 1]),
            ])
        #expect(
            reading.failure(fixture)
                == "\(config): not supported: 'save_projection' is false: 268435712 values would "
                + "have to be drawn, and 268435456 is the most; save the adapter with "
                + "save_projection set")
    }

    @Test func directionsOfAnotherBaseAreRefused() {
        let module = "base_model.model.\(AdapterFixture.query)"
        let fixture = AdapterFixture(
            configuration: [
                "peft_type": .string("ADAMSS"), "r": .integer(3), "num_subspaces": .integer(1),
                "target_modules": .array([.string("layers.0.self_attn.q_proj")]),
            ],
            tensors: [
                FloatTensor(module + ".adamss_newB", [3, 16]),
                FloatTensor(module + ".adamss_A.0", [1, 3]),
                FloatTensor(module + ".adamss_B.0", [16, 1]),
            ])
        #expect(
            reading.failure(fixture)
                == "\(file): tensor '\(module).adamss_newB' can't be used: the outputs' groups, "
                + "which aren't in the file, can't be found again on this base: its directions "
                + "aren't the file's; use the file as it was saved")
    }
}
