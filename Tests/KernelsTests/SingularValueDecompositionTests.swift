import Kernels
import Testing

@Suite struct SingularValueDecompositionTests {
    private func matrix(_ rows: Int, _ columns: Int) -> [Float] {
        (0..<(rows * columns)).map { Float(($0 * 37 + 11) % 23) / 23 - 0.4 }
    }

    @Test(arguments: [(5, 3), (3, 5), (4, 4), (1, 7), (7, 1)])
    func theFactorsMultiplyToTheMatrix(rows: Int, columns: Int) throws {
        let matrix = matrix(rows, columns)
        let svd = try SingularValueDecomposition(matrix, rowCount: rows, columnCount: columns)
        #expect(svd.count == min(rows, columns))
        #expect(svd.values == svd.values.sorted(by: >))
        let (left, right) = (svd.scaledLeft(rank: svd.count), svd.right(rank: svd.count))
        for row in 0..<rows {
            for column in 0..<columns {
                let sum = (0..<svd.count).reduce(Float(0)) {
                    $0 + left[row * svd.count + $1] * right[$1 * columns + column]
                }
                #expect(abs(sum - matrix[row * columns + column]) < 1e-5)
            }
        }
    }

    @Test func aDiagonalHasItsMagnitudesAsSingularValues() throws {
        let svd = try SingularValueDecomposition(
            [0, 0, 2, -3, 0, 0, 0, 1, 0], rowCount: 3, columnCount: 3, threadCount: 2)
        for (value, expected) in zip(svd.values, [3, 2, 1] as [Float]) {
            #expect(abs(value - expected) < 1e-6)
        }
    }

    @Test func valuesThatAreNotFiniteHaveNone() {
        #expect(throws: SingularValueDecomposition.Failure.notConverged) {
            _ = try SingularValueDecomposition(
                [.nan, 1, 2, 3], rowCount: 2, columnCount: 2)
        }
    }
}
