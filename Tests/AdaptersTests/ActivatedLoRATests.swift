import Adapters
import StrictJSON
import Testing
import Transformer

/// LoRA that acts from its invocation tokens on.
@Suite struct ActivatedLoRATests {
    let reading: AdapterReading
    let config = "adapter/adapter_config.json"
    private let name = "alora_invocation_tokens"

    init() throws { reading = try AdapterReading() }

    private func fixture(
        _ tokens: [Int64], modules: [String] = [AdapterFixture.query], _ extra: JSONObject = [:]
    ) -> AdapterFixture {
        var settings = extra
        settings[name] = .array(tokens.map(JSONValue.integer))
        return AdapterFixture.lora(modules, settings)
    }

    @Test func theTokensAreKept() throws {
        let adapter = try reading.read(fixture([4, 31, 4]))
        #expect(adapter.operators.activation == ActivationTokens([4, 31, 4]))
        #expect(adapter.targets == "q_proj, from tokens 4 31 4 on")
    }

    @Test func noTokensMeanPlainLoRA() throws {
        #expect(try reading.read(fixture([])).operators.activation == nil)
        var null = fixture([])
        null.configuration[name] = .null
        #expect(try reading.read(null).operators.activation == nil)
    }

    @Test(arguments: ["5", "[\"a\"]", "[-1]", "[1.5]", "{}"])
    func whatIsNoListOfTokensIsRefused(value: String) throws {
        var fixture = fixture([])
        fixture.configuration[name] = try JSONValue(parsing: value)
        #expect(
            reading.failure(fixture)
                == "\(config): '\(name)' is \(value), expected a list of at most 1024 token ids")
    }

    @Test func aTokenThatCantOccurIsRefused() {
        #expect(
            reading.failure(fixture([3, 32]))
                == "\(config): '\(name)' is [3, 32], expected ids below 32, the base's vocabulary: "
                + "32 can't occur in a prompt")
    }

    @Test func whatPEFTAppliesToEveryTokenIsRefusedBesideIt() {
        let refused = "\(config): not supported: '\(name)' is [3]: "
        #expect(
            reading.failure(fixture([3], ["use_dora": .bool(true)])).hasPrefix(
                refused + "PEFT has no invocation together with 'use_dora'"))
        #expect(
            reading.failure(fixture([3], ["init_lora_weights": .string("pissa")]))
                == refused + "'init_lora_weights' is pissa, which changes the base's weights for "
                + "every token")
        var table = fixture([3], modules: ["model.embed_tokens"])
        let name = "base_model.model.model.embed_tokens.lora_embedding_"
        table.tensors = [FloatTensor(name + "A", [2, 32]), FloatTensor(name + "B", [16, 2])]
        #expect(
            reading.failure(table)
                == refused + "PEFT has it for linear layers only, and the embedding is changed too")
    }

    @Test func whatWasTrainedWholeActsBeforeTheInvocationToo() throws {
        var fixture = fixture([4, 31], ["modules_to_save": .array([.string("model.norm")])])
        let norm = FloatTensor("base_model.model.model.norm.weight", [16], seed: 9)
        fixture.tensors.append(norm)
        let adapter = try reading.read(fixture)
        guard case .gain(let gain)? = adapter.operators.earlier.norms[.final] else {
            Issue.record("the norm waits for the invocation")
            return
        }
        #expect(gain == norm.values)
        #expect(adapter.operators.earlier.linear.isEmpty)
        let selected = SelectedOperators(name: "a", operators: adapter.operators, weight: 1)
        let plan = try AdapterPlan([selected], slots: reading.base.slots)
        #expect(plan.earlier?.isBase == false)
    }

    @Test func repeatedLayersActBeforeTheInvocationToo() throws {
        let registry = AdapterRegistry(base: reading.base)
        var fixture = fixture([4, 31])
        fixture.configuration["layer_replication"] = .array([
            .array([.integer(0), .integer(Int64(reading.base.slots.layerCount))]),
            .array([.integer(0), .integer(0)]),
        ])
        let path = try fixture.write(to: reading.directory, name: "deep")
        try registry.register(name: "deep", path: path)
        let lease = try registry.lease([SelectionEntry(name: "deep", weight: 0.5)])
        let activation = try #require(lease.activation)
        #expect(activation.earlierPlan === lease.plan.earlier)
        #expect(activation.earlierPlan.repeatedBase === lease.plan.repeatedBase)
        #expect(activation.earlierPlan.repeatedBase != nil)
        #expect(activation.earlierKey == "\(lease.key):before")
        // The same plan for the next one.
        let other = try registry.lease([SelectionEntry(name: "deep", weight: 0.5)])
        #expect(other.activation?.earlierPlan === activation.earlierPlan)
    }

    @Test func aLeaseTellsWhatActsBefore() throws {
        let registry = AdapterRegistry(base: reading.base)
        let path = try fixture([4, 31]).write(to: reading.directory, name: "late")
        try registry.register(name: "late", path: path)
        let lease = try registry.lease([SelectionEntry(name: "late", weight: 0.5)])
        let activation = try #require(lease.activation)
        let base = try registry.lease([])
        #expect(activation.tokens.tokens == [4, 31])
        #expect(activation.earlierPlan === base.plan)
        #expect(activation.earlierKey == base.key)
        #expect(lease.key.hasSuffix(":0.5"))
        let zero = try registry.lease([SelectionEntry(name: "late", weight: 0)])
        #expect(zero.activation == nil && zero.plan.isBase)
        #expect(throws: AdapterError.merge(.notWeightSpace(adapter: "late", .activation))) {
            try registry.merge(name: "late")
        }
    }
}
