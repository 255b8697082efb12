import Adapters
import StrictJSON
import Testing
import Transformer

/// Whole modules beside soft prompts and prefixes; what they compute, the goldens say.
struct PromptModulesTests {
    private let reading: AdapterReading
    private let tensors = "adapter/adapter_model.safetensors"

    init() throws {
        reading = try AdapterReading()
    }

    @Test func modulesFollowTheirPrefixAtOnce() throws {
        var fixture = AdapterFixture.prompt(saved: ["lm_head"])
        #expect(
            reading.failure(fixture)
                == "\(tensors): tensor 'base_model.lm_head.weight' is missing: 'modules_to_save' names "
                + "'lm_head'")
        fixture.tensors.append(FloatTensor("base_model.model.lm_head.weight", [32, 16]))
        #expect(reading.failure(fixture).contains("the base has no module 'model.lm_head'"))
        fixture.tensors[1] = FloatTensor("base_model.lm_head.weight", [16, 32])
        #expect(reading.failure(fixture).contains("it is transposed"))
        fixture.tensors[1] = FloatTensor("base_model.lm_head.weight", [32, 16])
        let operators = try reading.read(fixture).operators
        #expect(operators.replacesWeights)
        #expect(operators.embedding.count == 1)
    }

    @Test func aModuleThatNobodyNamedIsServedWithAWarning() throws {
        var fixture = AdapterFixture.prompt(saved: [])
        fixture.tensors.append(FloatTensor("base_model.model.norm.weight", [16]))
        let stray = try reading.read(fixture)
        #expect(stray.operators.norms.count == 1)
        #expect(stray.warnings.contains { $0.contains("'base_model.model.norm.weight'") })
        for nowhere in [
            AdapterFixture.prompt(saved: ["score"]),
            .prefix(["modules_to_save": .array([.string("score")])]),
        ] {
            let warnings = try reading.read(nowhere).warnings
            #expect(warnings.contains { $0.contains("'modules_to_save' names 'score'") })
        }
    }

    /// PEFT doesn't use it, so that saying nothing would surprise.
    @Test func anEmbeddingBesideASoftPromptIsPassedOverWithAWarning() throws {
        var fixture = AdapterFixture.prompt(saved: ["embed_tokens"])
        fixture.tensors.append(FloatTensor("base_model.model.embed_tokens.weight", [32, 16]))
        let prompt = try reading.read(fixture)
        #expect(!prompt.operators.replacesWeights)
        #expect(prompt.warnings.contains { $0.contains("PEFT doesn't use beside a soft prompt") })
        var prefix = AdapterFixture.prefix(["modules_to_save": .array([.string("embed_tokens")])])
        prefix.tensors.append(fixture.tensors[1])
        let kept = try reading.read(prefix)
        #expect(kept.operators.replacesWeights)
        #expect(kept.warnings.isEmpty)
    }

    @Test func aResizedEmbeddingThatWasSavedBesideASoftPromptIsRefused() throws {
        var fixture = AdapterFixture.prompt(saved: ["embed_tokens", "lm_head"])
        fixture.tensors.append(FloatTensor("base_model.model.embed_tokens.weight", [35, 16]))
        fixture.tensors.append(FloatTensor("base_model.lm_head.weight", [35, 16]))
        #expect(
            reading.failure(fixture).contains(
                "training resized it to 35 tokens, and beside a soft prompt"))
    }
}
