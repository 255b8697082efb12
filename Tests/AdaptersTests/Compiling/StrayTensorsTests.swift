import Adapters
import StrictJSON
import Testing
import Transformer

/// Tensors of the base that no setting names; what they compute, Tests/Goldens/cases says.
struct StrayTensorsTests {
    private let reading: AdapterReading
    private let norm = FloatTensor("base_model.model.model.norm.weight", [16])

    init() throws { reading = try AdapterReading() }

    private func fixture(_ extra: JSONObject = [:]) -> AdapterFixture {
        var fixture = AdapterFixture.lora([AdapterFixture.query], extra)
        fixture.tensors.append(norm)
        return fixture
    }

    @Test func theyActInPlaceOfTheBases() throws {
        let adapter = try reading.read(fixture())
        guard case .gain(let gain)? = adapter.operators.norms[.final] else {
            Issue.record("no gain")
            return
        }
        #expect(gain == norm.values)
        #expect(adapter.operators.replacesWeights)
    }

    /// In a mix, one adapter's base can't be another's.
    @Test func theyHaveNoMeaningAtAnotherWeight() throws {
        let adapter = try reading.read(fixture())
        #expect(throws: CombinationError.weightOfReplacement(adapter: "a", weight: 0.5)) {
            try AdapterPlan(
                [SelectedOperators(name: "a", operators: adapter.operators, weight: 0.5)],
                slots: reading.base.slots)
        }
    }

    @Test func whereTheyWouldActOnMoreTheyAreRefused() throws {
        let layers = JSONValue.array([.array([.integer(0), .integer(2)])])
        #expect(
            reading.failure(fixture(["layer_replication": layers])).contains(
                "unexpected tensor 'base_model.model.model.norm.weight'"))
    }

    @Test func besideAnInvocationTheyActOnEveryToken() throws {
        let adapter = try reading.read(
            fixture(["alora_invocation_tokens": .array([.integer(3)])]))
        #expect(adapter.operators.earlier.norms[.final] != nil)
    }

    @Test func manyAreOneWarning() throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        for layer in 0..<2 {
            for name in ["k_proj", "v_proj", "o_proj"] {
                let module = "model.layers.\(layer).self_attn.\(name)"
                let (inputs, outputs) = AdapterFixture.widths(module)
                fixture.tensors.append(
                    FloatTensor("base_model.model.\(module).weight", [outputs, inputs]))
            }
            for name in ["input_layernorm", "post_attention_layernorm"] {
                fixture.tensors.append(
                    FloatTensor("base_model.model.model.layers.\(layer).\(name).weight", [16]))
            }
        }
        let warnings = try reading.read(fixture).warnings
        #expect(warnings.count == 1)
        #expect(warnings[0].hasSuffix("' and 2 more"))
    }
}
