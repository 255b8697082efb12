import Adapters
import Foundation
import LlamaSlots
import StrictJSON
import Testing
import Transformer

/// BOFT with more than one layer of blocks, which PEFT makes only beside its CUDA extension.
@Suite struct ButterflyTests {
    /// x M for x = 1/16 … 16/16 and blocks of sin(0), sin(1), …: PEFT 0.21's own `get_delta_weight`
    /// with the extension's block diagonal made by `torch.block_diag`.
    private static let expected: [Float] = [
        -0.395112395, 0.052043609, 0.332036316, 0.034737438, 0.363918990, -1.282094359,
        -1.362383962, 0.015967324, 0.260042131, -0.374903560, -1.036357880, 0.698784590,
        0.042390675, 0.227169007, 0.277117848, -0.200536966,
    ]

    @Test func threeLayersTurnARowAsPEFTDoes() throws {
        let name = "base_model.model." + AdapterFixture.query
        var rotation = FloatTensor(name + ".boft_R", [3, 4, 4, 4])
        rotation.values = rotation.values.indices.map { Float(sin(Double($0))) }
        let fixture = AdapterFixture(
            configuration: [
                "peft_type": .string("BOFT"), "boft_block_size": .integer(4),
                "boft_n_butterfly_factor": .integer(3),
                "target_modules": .array([.string(AdapterFixture.query)]),
            ], tensors: [rotation, FloatTensor(name + ".boft_s", [16, 1])])
        let adapter = try AdapterReading().read(fixture)
        let operators = try #require(adapter.operators.linear[.layer(0, .query)])
        let maps = operators.compactMap { if case .input(let map) = $0 { map } else { nil } }
        let row = (1...16).map { Float($0) / 16 }
        let change = try #require(maps.first).applied(to: row)
        for (index, value) in Self.expected.enumerated() {
            #expect(abs(row[index] + change[index] - value) < 1e-5, "place \(index)")
        }
    }
}
