import Checkpoints
import Foundation
import Kernels
import Testing
import Transformer

/// What matrices of types that nothing computes with are kept in.
struct WeightConversionTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/blocks").path

    private func converted(
        _ type: ElementType, _ bytes: [UInt8], inputCount: Int
    ) throws -> (type: WeightType, values: [Float], isExact: Bool) {
        let rowByteCount = inputCount / type.blockElementCount * type.blockByteCount
        let shape = LinearShape(outputCount: bytes.count / rowByteCount, inputCount: inputCount)
        let result = try bytes.withUnsafeBytes {
            try #require(WeightConversion(type))
                .converted($0, shape: shape, pool: TinyBase.pool)
        }
        let kept = try #require(ElementType(rawValue: result.type.rawValue))
        let rows = UnsafeRawBufferPointer(start: result.rows.pointer, count: result.rows.count)
        var values = [Float](repeating: 0, count: shape.outputCount * inputCount)
        try #require(FloatReader(kept)).read(rows, count: values.count, into: &values)
        withExtendedLifetime(result.rows) {}
        return (result.type, values, result.isExact)
    }

    private static let file = try? GGUFFile(path: folder + "/mixed.gguf")
    private static let matrices = (file?.tensorNames ?? []).filter { name in
        guard let view = file?.tensor(name), view.shape.count == 2 else { return false }
        return WeightType(rawValue: view.elementType.rawValue) == nil
    }

    @Test(arguments: matrices)
    func matricesKeepTheirValuesAsQ8_0Rounds(name: String) throws {
        let view = try #require(Self.file).readableTensor(name)
        let stored = try view.floats()
        let bytes = withExtendedLifetime(view.owner) { [UInt8](view.bytes) }
        let (type, values, isExact) = try converted(
            view.elementType, bytes, inputCount: view.shape[1])
        #expect(type == (view.elementType == .f64 ? .f32 : .q8_0))
        let isOfOneScale: Set<ElementType> = [
            .q5_0, .q8_1, .q1_0, .iq4NL, .tq1_0, .tq2_0, .mxfp4,
        ]
        #expect(isExact == isOfOneScale.contains(view.elementType))
        if isExact || type == .f32 { #expect(values == stored) }
        for start in stride(from: 0, to: stored.count, by: 32) {
            let block = start..<start + 32
            let largest = stored[block].reduce(0) { max($0, $1.magnitude) }
            let error = zip(stored[block], values[block]).reduce(Float(0)) {
                max($0, abs($1.0 - $1.1))
            }
            #expect(error <= largest / 253, "\(name), from \(start)")
        }
    }

    @Test func everyMatrixOfTheFixtureIsLookedAt() {
        #expect(Self.matrices.count == 23)
    }

    /// A block of Q6_K of one value, 31 times the scale.
    private func block(scale: UInt16) -> [UInt8] {
        [UInt8](repeating: 0xFF, count: 192) + [UInt8](repeating: 1, count: 16)
            + withUnsafeBytes(of: scale.littleEndian) { Array($0) }
    }

    @Test(
        arguments: [
            // 31 times the scale by 127, against 2^-14 and 0.
            (0x0000, WeightType.q8_0), (0x0001, .bf16), (0x0400, .bf16), (0x0C00, .bf16),
            (0x0C20, .q8_0), (0x3C00, .q8_0), (0x7BFF, .q8_0), (0xFBFF, .q8_0), (0x7C00, .bf16),
        ] as [(UInt16, WeightType)])
    func whatQ8_0HasNoScaleForIsKeptInBF16(scale: UInt16, type: WeightType) throws {
        #expect(try converted(.q6K, block(scale: scale), inputCount: 256).type == type)
    }

    @Test func scalesBeyondHalvesAreKeptInBF16() throws {
        var large = block(scale: 0x7BFF)
        for index in 192..<208 { large[index] = 127 }
        // 65504 · 127 · 31 / 127 is more than f16 holds.
        let (type, values, _) = try converted(.q6K, large + block(scale: 0x3C00), inputCount: 256)
        #expect(type == .bf16)
        let nearest = HalfPrecision.bf16(65504 * 127 * 31)
        #expect(values[0] == HalfPrecision.float(fromBF16: nearest))
        #expect(values[256] == 31)
    }

    @Test func smallBlocksBesideLargeOnesStayInQ8_0() throws {
        let blocks = block(scale: 0x0001) + block(scale: 0x3C00)
        #expect(try converted(.q6K, blocks, inputCount: 256).type == .q8_0)
    }

    @Test(arguments: [(102, WeightType.bf16), (104, .q8_0), (143, .q8_0), (144, .bf16)])
    func exponentsThatHalvesLackAreKeptInBF16WithoutLoss(
        exponent: Int, type: WeightType
    ) throws {
        let block = [UInt8(exponent)] + (0..<16).map { UInt8($0 * 17) }
        let (kept, values, isExact) = try converted(.mxfp4, block, inputCount: 32)
        #expect(kept == type)
        #expect(isExact == (type == .q8_0))
        let expected = try TensorView(
            name: "t", elementType: .mxfp4, shape: [1, 32], copying: block, path: "f"
        ).floats()
        #expect(values == expected)
    }

    @Test func zerosOfMXFP4NeedNoExponent() throws {
        let blocks = [0] + [UInt8](repeating: 0x80, count: 16) + [120] + (0..<16).map { $0 * 17 }
        let (type, values, isExact) = try converted(.mxfp4, blocks, inputCount: 64)
        #expect(type == .q8_0 && isExact)
        #expect(values[..<32].allSatisfy { $0 == 0 })
        #expect(values[33] == 0x1p-8)
    }

    @Test func oneSentenceSaysWhatIsKept() throws {
        let path = Self.folder + "/mixed.gguf"
        let base = try BaseModel.open(path: path, pool: TinyBase.pool)
        let warnings = base.warnings.filter { $0.contains("keeps") }
        try #require(warnings.count == 1)
        #expect(warnings[0].hasPrefix("\(path): Graft doesn't compute with all of its types, "))
        for part in [
            " 2 matrices of Q4_K as Q8_0,", " 1 matrix of F64 as F32,",
            " 1 matrix of MXFP4 as Q8_0 (without loss),",
        ] {
            #expect(warnings[0].contains(part), "\(warnings[0])")
        }
        let checkpoint = try BaseCheckpoint.open(path: path)
        #expect(KeptTypes(expectedOf: checkpoint.tensors).warnings(file: path) == warnings)
        #expect(
            KeptTypes(expectedOf: try BaseCheckpoint.open(path: TinyBase.original).tensors)
                .warnings(file: path) == [])
    }
}
