import Adapters
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

/// What isn't in the file, but drawn again from a seed, against the library that drew it first.
struct DrawnAgainTests {
    /// `numpy.random.default_rng`, NumPy 2.
    @Test func numPysGeneratorIsReproduced() {
        var generator = NumPyGenerator(seed: 42)
        #expect(generator.bits64() == 0xc621_fbcd_16d9_2688)
        #expect(generator.bits64() == 0x705a_5661_a791_ffc1)
        var large = NumPyGenerator(seed: 1 << 40 + 5)
        #expect(large.bits64() == 0x0136_9aef_039f_edeb)
        var values = Array(0..<10)
        var shuffling = NumPyGenerator(seed: 7)
        shuffling.shuffle(&values)
        #expect(values == [8, 0, 7, 1, 3, 6, 2, 4, 5, 9])
    }

    @Test func numPysChoicesAreReproducedOfFewAndOfMany() {
        var few = NumPyGenerator(seed: 3)
        #expect(few.choice(of: 12, count: 5) == [1, 6, 0, 2, 11])
        var many = NumPyGenerator(seed: 3)
        let chosen = many.choice(of: 20_000, count: 900)
        #expect(chosen.prefix(6) == [770, 6571, 7254, 13467, 981, 9187])
        #expect(chosen.reduce(0, +) == 8_938_419)
    }

    /// `torch.normal` of 8 values, drawn in pairs, and of 20, drawn in blocks of 16.
    @Test(arguments: [
        (2, [0.238076, 0.091082, 0.165790, 0.162870, -0.793979, -0.131754, 1.561434, -0.451132]),
        (
            5,
            [
                1.362535, 1.051669, 0.636903, -1.488828, -0.536080, 0.762486, 0.566252, 1.188378,
                0.251631, -0.485516, -0.348856, 0.170758, -0.163783, 0.029528, -0.177891, 0.608012,
                -0.219010, -0.279810, 0.568096, -0.439534,
            ]
        ),
    ])
    func torchsNormalValuesAreReproduced(count: Int, expected: [Double]) throws {
        let reading = try AdapterReading()
        for chosen in 0..<count {
            var fixture = ProductFixture.tinylora.fixture
            fixture.configuration["u"] = .integer(Int64(count))
            fixture.configuration["save_projection"] = .bool(false)
            fixture.tensors.removeAll { $0.name.hasSuffix("tinylora_P") }
            for index in fixture.tensors.indices {
                let name = fixture.tensors[index].name
                if name.hasSuffix("tinylora_v.0") {
                    // One projection alone.
                    fixture.tensors[index] = FloatTensor(name, [count])
                    fixture.tensors[index].values = (0..<count).map { $0 == chosen ? 1 : 0 }
                } else if name.hasSuffix("tinylora_B") {
                    // The identity on top, so that B R shows R.
                    fixture.tensors[index].values = (0..<32).map { $0 == 0 || $0 == 3 ? 1 : 0 }
                }
            }
            let operators = try reading.read(fixture).operators.linear[.layer(0, .query)]
            guard case .lowRank(let update)? = operators?.first else {
                Issue.record("no low-rank operator")
                return
            }
            for row in 0..<2 {
                var values = [Float](repeating: 0, count: 2)
                update.b.unpackRow(row, into: &values)
                for column in 0..<2 {
                    let wanted = expected[chosen * 4 + row * 2 + column]
                    #expect(abs(Double(values[column]) - wanted) < 2e-6)
                }
            }
        }
    }

    /// `torch.randperm(256)` of seed 777.
    @Test func torchsPermutationIsReproduced() throws {
        let reading = try AdapterReading()
        let adapter = try reading.read(ProductFixture.waveftDirect.fixture)
        guard case .update(let map)? = adapter.operators.linear[.layer(0, .query)]?.first else {
            Issue.record("no update")
            return
        }
        let matrix = map.matrix()
        #expect(matrix.count { $0 != 0 } == 10)
        for place in [103, 15, 197, 254, 243, 166, 133, 161] { #expect(matrix[place] != 0) }
    }
}
