import Adapters
import StrictJSON
import Testing

/// Files of methods that change weights, each sound, then without a tensor, with one of another
/// shape, with one too many, and with settings that can't be served.
@Suite struct WeightMethodsMalformedTests {
    let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    @Test(arguments: WeightMethodFixture.all)
    func theSoundFileIsRead(method: WeightMethodFixture) throws {
        let adapter = try reading.read(method.adapter)
        #expect(adapter.warnings.isEmpty)
    }

    @Test(arguments: WeightMethodFixture.all)
    func eachTensorMustBeThere(method: WeightMethodFixture) {
        for index in method.adapter.tensors.indices {
            var adapter = method.adapter
            let removed = adapter.tensors.remove(at: index)
            let failure = reading.failure(adapter)
            #expect(failure.contains("is missing") && failure.contains(removed.name), "\(failure)")
        }
    }

    @Test(arguments: WeightMethodFixture.all)
    func shapesFollowFromConfigurationAndBase(method: WeightMethodFixture) {
        for index in method.adapter.tensors.indices {
            var adapter = method.adapter
            let tensor = adapter.tensors[index]
            adapter.tensors[index] = FloatTensor(
                tensor.name, tensor.shape + [1], type: tensor.type)
            let failure = reading.failure(adapter)
            #expect(failure.contains(tensor.name), "\(failure)")
            #expect(failure.contains("expected") || failure.contains("no matrix"), "\(failure)")
        }
    }

    @Test(arguments: WeightMethodFixture.all)
    func noTensorIsLeftOver(method: WeightMethodFixture) {
        for tensor in method.adapter.tensors where tensor.name.contains(AdapterFixture.query) {
            var adapter = method.adapter
            let other = tensor.name.replacing("q_proj", with: "o_proj")
            adapter.tensors.append(FloatTensor(other, tensor.shape, type: tensor.type))
            let failure = reading.failure(adapter)
            #expect(failure.contains("unexpected tensor '\(other)'"), "\(failure)")
        }
    }

    @Test func otherModulesAreNoNorms() {
        let part = "base_model.model.\(AdapterFixture.query).ln_tuning_layers."
        let failure = reading.failure(
            AdapterFixture(
                configuration: [
                    "peft_type": .string("LN_TUNING"),
                    "target_modules": .array([.string("q_proj")]),
                ],
                tensors: [
                    FloatTensor(part + "weight", [16, 16]), FloatTensor(part + "bias", [16]),
                ]))
        #expect(failure.contains("LN tuning works on norms"), "\(failure)")
        #expect(failure.contains(AdapterFixture.query), "\(failure)")
    }

    @Test(arguments: WeightMethodFixture.all)
    func normsAreNoTargets(method: WeightMethodFixture) {
        var adapter = method.adapter
        adapter.configuration["target_modules"] = .array([
            .string("q_proj"), .string("input_layernorm"),
        ])
        #expect(reading.failure(adapter).contains("this is a norm"))
    }

    @Test(arguments: [
        ("OFT", "r", "3", "0 where 'r' is not 0"),
        ("OFT", "peft_version", "\"0.17.1\"", "before PEFT 0.18 its series was another"),
        ("BOFT", "boft_block_num", "2", "0 where 'boft_block_num' is not 0, and only there"),
        ("BOFT", "boft_block_size", "5", "its 16 inputs can't be divided by 5"),
        ("ROAD", "variant", "\"road_3\"", "\"road_1\", \"road_2\" or \"road_4\""),
        ("ROAD", "group_size", "5", "an even number"),
        ("ROAD", "group_size", "6", "no whole number of groups of 6"),
        ("PVERA", "sample_at_inference", "true", "answers would be random"),
        ("VERA", "projection_prng_key", "-1", "a whole number from 0"),
        ("FOURIERFT", "n_frequency", "1000", "1000 coefficients are wanted"),
        ("VBLORA", "vector_length", "5", "'num_vectors' and 'vector_length' say so"),
        ("VBLORA", "topk", "9", "a whole number from 1 to 6"),
        ("LOHA", "alpha", "\"8\"", "a number from -1000000 to 1000000"),
        ("LOKR", "r", "0", "a whole number from 1 to 32768"),
        ("HRA", "apply_GS", "1", "true or false"),
    ])
    func settingsThatCantBeServedAreRefused(
        type: String, name: String, value: String, reason: String
    ) throws {
        let method = try #require(WeightMethodFixture.all.first { $0.type == type })
        var adapter = method.adapter
        adapter.configuration[name] = try JSONValue(parsing: value)
        let failure = reading.failure(adapter)
        #expect(failure.contains("'\(name)'") && failure.contains(reason), "\(failure)")
    }

    @Test func aReflectionNeedsADirection() throws {
        var adapter = try #require(WeightMethodFixture.all.first { $0.type == "HRA" }).adapter
        adapter.tensors[0].values = adapter.tensors[0].values.map { _ in 0 }
        #expect(reading.failure(adapter).contains("column 0 gives no direction to reflect along"))
    }

    @Test func placesOfASparseUpdateAreChecked() throws {
        var adapter = try #require(WeightMethodFixture.all.first { $0.type == "SHIRA" }).adapter
        adapter.tensors[0].values[3] = 16
        #expect(reading.failure(adapter).contains("it has 16, and the places go from 0 to 15"))
        adapter.tensors[0].values[3] = adapter.tensors[0].values[2]
        adapter.tensors[0].values[35] = adapter.tensors[0].values[34]
        #expect(reading.failure(adapter).contains("it names a place twice"))
    }
}
