import Checkpoints
import Foundation
import Testing

/// Values of blocks against gguf-py's: Tests/Goldens/blocks.
@Suite struct BlockFormatTests {
    private let directory: TemporaryDirectory
    private let goldens: SafetensorsFile

    init() throws {
        directory = try TemporaryDirectory()
        goldens = try SafetensorsFile(
            path: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent()
                .appendingPathComponent("Goldens/blocks/expected.safetensors").path)
    }

    /// As GGUF numbers them.
    static let types: [(number: UInt32, type: ElementType)] = [
        (0, .f32), (1, .f16), (2, .q4_0), (3, .q4_1), (6, .q5_0), (7, .q5_1), (8, .q8_0),
        (9, .q8_1), (10, .q2K), (11, .q3K), (12, .q4K), (13, .q5K), (14, .q6K), (15, .q8K),
        (16, .iq2XXS), (17, .iq2XS), (18, .iq3XXS), (19, .iq1S), (20, .iq4NL), (21, .iq3S),
        (22, .iq2S), (23, .iq4XS), (28, .f64), (29, .iq1M), (30, .bf16), (34, .tq1_0),
        (35, .tq2_0), (39, .mxfp4), (40, .nvfp4), (41, .q1_0),
    ]

    private func content(_ name: String) throws -> [UInt8] {
        let view = try goldens.requiredTensor(name)
        return withExtendedLifetime(view.owner) { [UInt8](view.bytes) }
    }

    /// All blocks as one tensor of a GGUF file.
    private func tensor(_ number: UInt32, _ type: ElementType, as name: String) throws -> TensorView
    {
        let blocks = try content("\(type.rawValue).blocks")
        let count = blocks.count / type.blockByteCount * type.blockElementCount
        var fixture = GGUFFixture()
        fixture.add("t", dimensions: [Int64(count)], type: number, blocks)
        return try GGUFFile(path: directory.write(fixture.file, name)).readableTensor("t")
    }

    @Test func everyTypeThatTheReferenceHasIsRead() throws {
        let names = goldens.tensorNames.filter { $0.hasSuffix(".blocks") }
            .map { $0.dropLast(".blocks".count) }
        #expect(names.count == 30)
        #expect(Set(names) == Set(Self.types.map { $0.type.rawValue[...] }))
    }

    @Test(arguments: types)
    func theValuesAreTheReferencesBitForBit(number: UInt32, type: ElementType) throws {
        let tensor = try tensor(number, type, as: "g")
        #expect(tensor.elementType == type)
        let values = try tensor.floats()
        let first = try goldens.requiredTensor("\(type.rawValue).values").floats()
        #expect(values.prefix(first.count).map(\.bitPattern) == first.map(\.bitPattern))
        let sums = try content("\(type.rawValue).sums")
        let count = type.blockElementCount
        try #require(sums.count == values.count / count * 8)
        for block in 0..<values.count / count {
            let expected = sums[block * 8..<block * 8 + 8].reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            let found = Self.sum(values[block * count..<(block + 1) * count])
            #expect(found == expected, "block \(block)")
        }
    }

    /// FNV-1a of the values' bytes.
    private static func sum(_ values: ArraySlice<Float>) -> UInt64 {
        values.reduce(0xcbf2_9ce4_8422_2325) { sum, value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes in
                bytes.reduce(sum) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            }
        }
    }

    @Test(arguments: types.map(\.type).filter { FloatReader($0)?.hasLevels == true })
    func levelsBecomeBlocksOfTheSameValues(type: ElementType) throws {
        let blocks = try content("\(type.rawValue).blocks")
        let reader = try #require(FloatReader(type))
        let eights = try #require(FloatReader(.q8_0))
        let count = type.blockElementCount
        var exactCount = 0
        for start in stride(from: 0, to: blocks.count, by: type.blockByteCount) {
            var made = [UInt8](repeating: 0, count: count / 32 * 34)
            var expected = [Float](repeating: 0, count: count)
            var found = expected
            let isExact = blocks[start..<start + type.blockByteCount].withUnsafeBytes { block in
                reader.read(block, count: count, into: &expected)
                return reader.readLevels(block, count: count, into: &made)
            }
            guard isExact else { continue }
            exactCount += 1
            made.withUnsafeBytes { eights.read($0, count: count, into: &found) }
            #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        }
        // Exponents of MXFP4 go beyond those of f16.
        let blockCount = blocks.count / type.blockByteCount
        #expect(type == .mxfp4 ? (4..<blockCount) ~= exactCount : exactCount == blockCount)
    }

    /// As gguf-py has them, and of Q8_1 as ggml.
    @Test(
        arguments: [
            (.q8_0, 32, 34), (.q4_0, 32, 18), (.q4_1, 32, 20), (.q5_0, 32, 22), (.q5_1, 32, 24),
            (.q8_1, 32, 36), (.q1_0, 128, 18), (.q2K, 256, 84), (.q3K, 256, 110), (.q4K, 256, 144),
            (.q5K, 256, 176), (.q6K, 256, 210), (.q8K, 256, 292), (.iq1S, 256, 50),
            (.iq1M, 256, 56),
            (.iq2XXS, 256, 66), (.iq2XS, 256, 74), (.iq2S, 256, 82), (.iq3XXS, 256, 98),
            (.iq3S, 256, 110), (.iq4NL, 32, 18), (.iq4XS, 256, 136), (.tq1_0, 256, 54),
            (.tq2_0, 256, 66), (.mxfp4, 32, 17), (.nvfp4, 64, 36),
        ] as [(ElementType, Int, Int)])
    func blocksHaveTheirSizes(type: ElementType, elementCount: Int, byteCount: Int) {
        #expect(type.blockElementCount == elementCount)
        #expect(type.blockByteCount == byteCount)
    }

    @Test func blocksWithInfiniteScalesAreSaid() throws {
        var blocks = [UInt8](repeating: 1, count: 2 * 144)
        blocks[144] = 0
        blocks[145] = 0x7C
        let view = try TensorView(
            name: "k", elementType: .q4K, shape: [2, 256], copying: blocks, path: "f")
        let summary = try #require(view.nonFiniteSummary())
        #expect(summary.first[0] == 1)
        #expect(!ElementType.q4K.areFinite(view.bytes))
        #expect(
            try TensorView(
                name: "k", elementType: .q4K, shape: [1, 256],
                copying: Array(blocks.prefix(144)), path: "f"
            ).nonFiniteSummary() == nil)
    }
}
