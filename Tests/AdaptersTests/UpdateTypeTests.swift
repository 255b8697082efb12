import Adapters
import Checkpoints
import Kernels
import StrictJSON
import Testing
import Transformer

/// Factors that are kept in bf16: as if the file had them so.
struct UpdateTypeTests {
    private let reading: AdapterReading

    init() throws {
        reading = try AdapterReading()
    }

    private func read(_ fixture: AdapterFixture, _ type: UpdateType) throws -> LoadedAdapter {
        try reading.read(
            path: fixture.write(to: reading.directory), options: AdapterOptions(updateType: type))
    }

    private func factors(_ operators: AdapterOperators) throws -> (a: [Float], b: [Float]) {
        let slot = try #require(operators.linear.keys.first)
        guard case .lowRank(let lowRank) = operators.linear[slot]?.first else {
            throw UnexpectedOperator()
        }
        var a = [Float](repeating: 0, count: lowRank.a.outputCount * lowRank.a.inputCount)
        var b = [Float](repeating: 0, count: lowRank.b.outputCount * lowRank.b.inputCount)
        a.withUnsafeMutableBufferPointer { lowRank.a.unpack(into: $0.baseAddress!) }
        b.withUnsafeMutableBufferPointer { lowRank.b.unpack(into: $0.baseAddress!, pool: nil) }
        return (a, b)
    }

    private struct UnexpectedOperator: Error {}

    @Test func factorsAreRoundedAsAFileInBF16HasThem() throws {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        var rounded = fixture
        for index in rounded.tensors.indices { rounded.tensors[index].type = .bf16 }
        let kept = try read(fixture, .file)
        let narrowed = try read(fixture, .bf16)
        let expected = try read(rounded, .file)
        #expect(try factors(narrowed.operators) == factors(expected.operators))
        #expect(try factors(narrowed.operators) != factors(kept.operators))
        #expect(narrowed.byteCount == expected.byteCount)
        #expect(narrowed.byteCount < kept.byteCount)
        // What was read is the same adapter.
        #expect(narrowed.hash == kept.hash)
        #expect(try read(rounded, .bf16).byteCount == expected.byteCount)
    }

    @Test func wholeMatricesAreRoundedToo() throws {
        let fixture = try #require(WeightMethodFixture.all.first { $0.type == "HIRA" }).adapter
        func values(_ type: UpdateType) throws -> [Float] {
            let operators = try read(fixture, type).operators
            let slot = try #require(operators.linear.keys.first)
            guard case .dense(let matrix) = operators.linear[slot]?.first else {
                throw UnexpectedOperator()
            }
            var values = [Float](repeating: 0, count: matrix.outputCount * matrix.inputCount)
            values.withUnsafeMutableBufferPointer {
                matrix.unpack(into: $0.baseAddress!, pool: nil)
            }
            return values
        }
        let (kept, narrowed) = (try values(.file), try values(.bf16))
        #expect(kept != narrowed)
        #expect(
            narrowed
                == kept.map { Float(bitPattern: UInt32(HalfPrecision.bf16($0)) << 16) })
        #expect(try read(fixture, .bf16).byteCount * 2 == read(fixture, .file).byteCount)
    }

    @Test func whatIsNoFactorStays() throws {
        let module = AdapterFixture.query
        var fixture = AdapterFixture.lora(
            [module], ["modules_to_save": .array([.string("model.norm")])])
        fixture.tensors.append(FloatTensor("base_model.model.model.norm.weight", [16]))
        let kept = try read(fixture, .file).operators
        let narrowed = try read(fixture, .bf16).operators
        guard case .gain(let first)? = kept.norms.values.first,
            case .gain(let second)? = narrowed.norms.values.first
        else { throw UnexpectedOperator() }
        #expect(first == second)
        #expect(try read(.prefix(), .bf16).byteCount == read(.prefix(), .file).byteCount)
    }
}
