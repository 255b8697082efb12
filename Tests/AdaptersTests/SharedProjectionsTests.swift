import Adapters
import LlamaSlots
import StrictJSON
import Testing
import Transformer

/// Modules of one width share the frozen projections, in memory too.
@Suite struct SharedProjectionsTests {
    private let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func fixture(_ type: String, _ prefix: String, modules: [String]) -> AdapterFixture {
        let blockCount = prefix == "pvera" ? 2 : 1
        return AdapterFixture(
            configuration: [
                "peft_type": .string(type), "r": .integer(3),
                "target_modules": .array(modules.map { .string($0) }),
            ],
            tensors: modules.flatMap { module in
                [
                    FloatTensor(
                        "base_model.model.\(module).\(prefix)_lambda_d", [3 * blockCount], seed: 2),
                    FloatTensor("base_model.model.\(module).\(prefix)_lambda_b", [16], seed: 3),
                ]
            } + [
                FloatTensor("base_model.\(prefix)_A", [3 * blockCount, 16], seed: 4),
                FloatTensor("base_model.\(prefix)_B", [16, 3], seed: 5),
            ])
    }

    @Test(arguments: [("VERA", "vera"), ("PVERA", "pvera")])
    func anotherModuleCostsItsFactorsAlone(type: String, prefix: String) throws {
        let other = "model.layers.1.self_attn.o_proj"
        let one = try reading.read(fixture(type, prefix, modules: [AdapterFixture.query]))
        let two = try reading.read(fixture(type, prefix, modules: [AdapterFixture.query, other]))
        #expect(two.byteCount - one.byteCount == (3 + 16) * 4)
        guard case .lowRank(let first)? = two.operators.linear[.layer(0, .query)]?.first,
            case .lowRank(let second)? = two.operators.linear[.layer(1, .attentionOutput)]?.first
        else {
            Issue.record("no low-rank operators")
            return
        }
        #expect(first.a === second.a && first.b === second.b)
        #expect(first.factors !== second.factors)
    }
}
