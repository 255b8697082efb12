import Kernels
import Testing

struct LinearAlgebraTests {
    @Test func theSmallestEigenvectorsSpanWhatTheyShould() throws {
        // Eigenvalues 1, 3 and 10, of (1, −1, 0), (1, 1, 0) and (0, 0, 1).
        let matrix: [Double] = [2, 1, 0, 1, 2, 0, 0, 0, 10]
        let one = try #require(LinearAlgebra.smallestEigenvectors(matrix, size: 3, count: 1))
        #expect(one.count == 3)
        #expect(abs(abs(one[0]) - 0.5.squareRoot()) < 1e-12)
        #expect(abs(one[0] + one[1]) < 1e-12 && abs(one[2]) < 1e-12)
        let two = try #require(LinearAlgebra.smallestEigenvectors(matrix, size: 3, count: 2))
        // Their projection leaves the plane of the first two axes as it is.
        for row in 0..<3 {
            for column in 0..<3 {
                let sum = two[row] * two[column] + two[3 + row] * two[3 + column]
                #expect(abs(sum - (row == column && row < 2 ? 1 : 0)) < 1e-12)
            }
        }
        #expect(LinearAlgebra.smallestEigenvectors([], size: 0, count: 0) == [])
    }

    @Test func eigenvectorsComeLargestFirstAsRows() throws {
        // 3 along (1, 1)/√2, 1 along (1, −1)/√2
        let (values, vectors) = try #require(LinearAlgebra.eigenvectors([2, 1, 1, 2], size: 2))
        #expect(abs(values[0] - 3) < 1e-12 && abs(values[1] - 1) < 1e-12)
        #expect(abs(vectors[0] - vectors[1]) < 1e-12 && abs(vectors[2] + vectors[3]) < 1e-12)
        #expect(abs(vectors[0] * vectors[0] - 0.5) < 1e-12)
        #expect(LinearAlgebra.eigenvectors([], size: 0)?.values.isEmpty == true)
    }

    @Test func gramMatrixHoldsProductsOfRows() {
        let gram = LinearAlgebra.gramMatrix([1, 2, 3, 4, 5, 6], rowCount: 2, columnCount: 3)
        #expect(gram == [14, 32, 32, 77])
    }

    @Test func productsTakeTheRightSideEitherWay() {
        let left = [1.0, 2, 3, 4, 5, 6]  // [2, 3]
        #expect(
            LinearAlgebra.product(
                left, [1, 0, 0, 1, 1, 1], rowCount: 2, columnCount: 2, innerCount: 3)
                == [4, 5, 10, 11])
        #expect(
            LinearAlgebra.product(
                left, [1, 0, 1, 0, 1, 1], rowCount: 2, columnCount: 2, innerCount: 3,
                transposesRight: true) == [4, 5, 10, 11])
        #expect(
            LinearAlgebra.product([], [], rowCount: 2, columnCount: 1, innerCount: 0) == [0, 0])
    }

    @Test func solvingDividesRows() throws {
        // X [[0, 2], [1, 1]] = B with X = [[3, 4], [5, 6], [7, 8]]
        let matrix = [0.0, 2, 1, 1]
        let rows = LinearAlgebra.product(
            [3, 4, 5, 6, 7, 8], matrix, rowCount: 3, columnCount: 2, innerCount: 2)
        let solution = try #require(
            LinearAlgebra.solve(rows, dividedBy: matrix, rowCount: 3, size: 2))
        for (found, expected) in zip(solution, [3.0, 4, 5, 6, 7, 8]) {
            #expect(abs(found - expected) < 1e-12)
        }
    }

    @Test func aSingularMatrixHasNoSolution() {
        #expect(LinearAlgebra.solve([1, 1], dividedBy: [1, 2, 2, 4], rowCount: 1, size: 2) == nil)
    }
}
