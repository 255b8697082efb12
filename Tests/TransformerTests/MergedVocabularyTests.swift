import Kernels
import Testing
import Transformer

/// Merged tables where one adapter has another vocabulary and the other one the base's.
struct MergedVocabularyTests {
    private let base: BaseModel
    private let width: Int
    private let count: Int

    init() throws {
        base = try BaseModel.open(path: TinyBase.original, pool: TinyBase.pool)
        width = base.slots.hiddenSize
        count = base.slots.vocabularyCount
    }

    /// A part that adds 1 to all of head and embedding, and 2 to the embedding's last row.
    private func additions() -> SelectedOperators {
        var operators = AdapterOperators()
        let ones = [Float](repeating: 1, count: count * width)
        operators.linear[.head] = [.dense(packed(ones, count))]
        operators.embedding = [
            .lowRank(
                rows: [Float](repeating: 1, count: count),
                b: packed([Float](repeating: 1, count: width), width), scaling: 1),
            .rows(
                tokens: [Int32(count - 1)], differences: [Float](repeating: 2, count: width)),
        ]
        return SelectedOperators(name: "all", operators: operators, weight: 1)
    }

    private func packed(_ values: [Float], _ outputCount: Int) -> PackedMatrix {
        values.withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: values.count / outputCount), pool: nil)
        }
    }

    @Test(arguments: [-7, 0, 3])
    func aTableHasTheRowsOfTheVocabulary(difference: Int) throws {
        var operators = AdapterOperators()
        let added = packed(
            [Float](repeating: 5, count: max(1, difference) * width), max(1, difference))
        operators.vocabulary = ResizedVocabulary(
            tokenCount: count + difference, embedding: difference > 0 ? added : nil,
            head: difference > 0 ? added : nil)
        let parts = [
            SelectedOperators(name: "other", operators: operators, weight: 1), additions(),
        ]
        let head = try base.merged(at: .head, with: parts, pool: TinyBase.pool)
        let table = try base.mergedEmbedding(with: parts, pool: TinyBase.pool)
        #expect(head.shape.outputCount == count + difference)
        #expect(head.matrix.count == (count + difference) * width)
        #expect(table.count == (count + difference) * width)
        var row = [Float](repeating: 0, count: width)
        for token in 0..<count + difference {
            if token < count {
                base.weights.embedding.unpackRow(token, into: &row)
            } else {
                row = [Float](repeating: 5, count: width)
            }
            let more: Float = token < count ? 1 : 0
            let last: Float = token == count - 1 ? 2 : 0
            let start = token * width
            let found = (0..<width).map { table.pointer[start + $0] }
            #expect(zip(found, row).allSatisfy { abs($0 - $1 - more - last) < 1e-5 }, "\(token)")
            let outputs = (0..<width).map { head.matrix.pointer[start + $0] }
            #expect(zip(outputs, row).allSatisfy { abs($0 - $1 - more) < 1e-5 }, "\(token)")
        }
    }
}
