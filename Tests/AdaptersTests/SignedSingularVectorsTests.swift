import Kernels
import Testing

/// Signs of singular vectors against torch's; the generator is tools/goldens/singular_vectors.py.
@Suite struct SignedSingularVectorsTests {
    @Test(arguments: [
        (7, 9), (40, 8), (40, 40), (59, 40), (60, 40), (120, 40), (40, 60), (40, 75), (40, 160),
        (130, 70),
    ])
    func signsAreTorchs(rows: Int, columns: Int) throws {
        let stored = try StoredTensors(path: ReferenceFiles.path("singular-vectors.safetensors"))
        func values(_ part: String) throws -> [Float] {
            try #require(stored.values["\(rows)x\(columns).\(part)"])
        }
        // As many as keep their signs in torch when the matrix changes in its last bits.
        let count = try values("values").count
        try #require(count >= 4)
        for threadCount in [1, 2] {
            let found = try SignedSingularVectors(
                values("matrix"), rowCount: rows, columnCount: columns, count: count,
                threadCount: threadCount)
            #expect(largestDifference(found.left, try values("left")) < 1e-4)
            #expect(largestDifference(found.values, try values("values")) < 1e-5)
            #expect(largestDifference(found.right, try values("right")) < 1e-4)
        }
    }

    /// Two values that are nearly one have vectors that turn with the least change.
    @Test func aSignThatHangsOnRoundingIsRefused() {
        var matrix = [Float](repeating: 0, count: 36 * 36)
        for index in 0..<36 { matrix[index * 36 + index] = 3 }
        for index in 1..<36 { matrix[index * 36 + index - 1] = 1e-8 * Float(index) }
        let error = #expect(throws: SignedSingularVectors.Failure.self) {
            _ = try SignedSingularVectors(matrix, rowCount: 36, columnCount: 36, count: 4)
        }
        guard case .undeterminedSign = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test func valuesThatAreNotFiniteHaveNone() {
        #expect(throws: SignedSingularVectors.Failure.notConverged) {
            _ = try SignedSingularVectors(
                [.infinity, 1, 2, 3], rowCount: 2, columnCount: 2, count: 1)
        }
    }
}
