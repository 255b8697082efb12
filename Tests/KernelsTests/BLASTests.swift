import Kernels
import Testing

struct BLASTests {
    @Test func multiplyAddAddsTheScaledProduct() {
        let left: [Float] = [1, 2, 3, 4, 5, 6]  // [2, 3]
        let right: [Float] = [1, 0, 0, 1, 1, 1]  // [3, 2]
        var result: [Float] = [10, 20, 30, 40]
        BLAS.multiplyAdd(
            left: left, right: right, into: &result, rowCount: 2, columnCount: 2, innerCount: 3,
            scaling: 0.5)
        #expect(result == [12, 22.5, 35, 45.5])
    }
}
