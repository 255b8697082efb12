import Testing
import Transformer

/// Maps of rows against the matrices that they stand for.
struct RowMapTests {
    /// Reproducible values around 0.
    private func values(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(Int32.max) - 0.5
        }
    }

    private func expectEqual(_ map: RowMap, _ matrix: [Float], _ comment: Comment) {
        let input = values(map.inputCount, seed: 99)
        let output = map.applied(to: input)
        let merged = map.matrix()
        for row in 0..<map.outputCount {
            var sum: Float = 0
            for column in 0..<map.inputCount {
                let index = row * map.inputCount + column
                sum += matrix[index] * input[column]
                #expect(abs(merged[index] - matrix[index]) < 1e-5, comment)
            }
            #expect(abs(output[row] - sum) < 1e-4, comment)
        }
        expectProducts(map, matrix, comment)
    }

    /// M V and V M, as merging makes them.
    private func expectProducts(_ map: RowMap, _ matrix: [Float], _ comment: Comment) {
        func expectClose(_ found: [Float], _ expected: [Float]) {
            #expect(found.count == expected.count, comment)
            #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-4 }, comment)
        }
        let columns = values(map.inputCount * 37, seed: 98)
        expectClose(
            map.product(with: columns),
            multiply(matrix, columns, inner: map.inputCount, columns: 37))
        let rows = values(37 * map.outputCount, seed: 97)
        if let found = map.product(from: rows) {
            expectClose(
                found, multiply(rows, matrix, inner: map.outputCount, columns: map.inputCount))
        }
    }

    @Test func mapsOfInputsHaveTransposes() {
        let maps: [RowMap] = [
            DiagonalMap(values(6, seed: 6)),
            SparseMap(
                inputCount: 6, outputCount: 4, entries: [(0, 1, 2), (3, 5, -1), (2, 2, 0.5)]),
            LowRankMap(a: values(12, seed: 7), transposedB: values(8, seed: 8), rank: 2),
            RotationMap(
                width: 6,
                factors: [
                    RotationMap.Factor(
                        blocks: values(18, seed: 9), size: 3, inputs: [5, 0, 4, 1, 3, 2],
                        outputs: [1, 2, 0, 5, 3, 4]),
                    RotationMap.Factor(blocks: values(4, seed: 10), size: 2),
                ]),
        ]
        for map in maps {
            expectEqual(map, map.matrix(), "\(map.form)")
            #expect(map.product(from: [Float](repeating: 0, count: map.outputCount)) != nil)
        }
    }

    @Test(arguments: [false, true])
    func aKroneckerProductHasItsFactorsBlocks(isFactored: Bool) {
        let (left, inner, outer) = (values(6, seed: 11), values(8, seed: 12), values(10, seed: 13))
        let right = multiply(outer, inner, inner: 2, columns: 4)
        let matrices =
            isFactored
            ? [
                KroneckerMap.Matrix(
                    values: inner, shape: LinearShape(outputCount: 2, inputCount: 4)),
                KroneckerMap.Matrix(
                    values: outer, shape: LinearShape(outputCount: 5, inputCount: 2)),
            ]
            : [
                KroneckerMap.Matrix(
                    values: right, shape: LinearShape(outputCount: 5, inputCount: 4))
            ]
        let map = KroneckerMap(
            left: KroneckerMap.Matrix(
                values: left, shape: LinearShape(outputCount: 2, inputCount: 3)), right: matrices)
        let expected = (0..<10 * 12).map { index -> Float in
            let (row, column) = (index / 12, index % 12)
            return left[row / 5 * 3 + column / 4] * right[row % 5 * 4 + column % 4]
        }
        expectEqual(map, expected, "factored: \(isFactored)")
    }

    @Test func chosenOutputsHaveRows() {
        let rows = values(8, seed: 14)
        let map = RowSubsetMap(outputCount: 5, outputs: [3, 1], rows: rows)
        var matrix = [Float](repeating: 0, count: 20)
        for column in 0..<4 {
            matrix[12 + column] = rows[column]
            matrix[4 + column] = rows[4 + column]
        }
        expectEqual(map, matrix, "two rows")
    }

    @Test(arguments: [1, 2, 3, 5, 6, 7, 8, 12, 30])
    func circulantBlocksMoveTheirKernel(blockSize: Int) {
        let (rowCount, columnCount) = (2, 3)
        let kernels = values(rowCount * columnCount * blockSize, seed: 1)
        let (outputCount, inputCount) = (rowCount * blockSize, columnCount * blockSize)
        let map = CirculantMap(
            kernels: kernels, blockSize: blockSize, inputCount: inputCount,
            outputCount: outputCount)
        let matrix = (0..<outputCount * inputCount).map { index -> Float in
            let (row, column) = (index / inputCount, index % inputCount)
            let block = row / blockSize * columnCount + column / blockSize
            let shift = (column % blockSize - row % blockSize + blockSize) % blockSize
            return kernels[block * blockSize + shift]
        }
        expectEqual(map, matrix, "blocks of \(blockSize)")
    }

    @Test(arguments: [(4, 12, 6, 6), (4, 10, 6, 3), (5, 3, 4, 2), (1, 4, 2, 1)])
    func foldedPiecesMeetOneMatrix(length: Int, inputCount: Int, outputCount: Int, width: Int) {
        let core = values(length * width, seed: 2)
        let map = FoldedMap(
            core: core, pieceLength: length, inputCount: inputCount, outputCount: outputCount)
        let matrix = (0..<outputCount * inputCount).map { index in
            core[index % inputCount % length * width + index / inputCount % width]
        }
        expectEqual(map, matrix, "pieces of \(length)")
    }

    @Test func blocksStandOnTheDiagonalAndTheirOutputsMove() {
        let blocks = values(2 * 3 * 2, seed: 3)
        let places: [Int32] = [5, 0, 4, 1, 3, 2]
        let shape = LinearShape(outputCount: 3, inputCount: 2)
        let map = BlockDiagonalMap(
            blocks: blocks, blockCount: 2, blockShape: shape, places: places)
        var matrix = [Float](repeating: 0, count: 24)
        for output in 0..<6 {
            for input in 0..<2 {
                matrix[Int(places[output]) * 4 + output / 3 * 2 + input] =
                    blocks[output * 2 + input]
            }
        }
        expectEqual(map, matrix, "with places")
        let still = BlockDiagonalMap(blocks: blocks, blockCount: 2, blockShape: shape)
        #expect(still.matrix()[0..<2].elementsEqual(blocks[0..<2]))
        #expect(still.matrix()[2..<4].allSatisfy { $0 == 0 })
    }

    @Test func aChainIsTheProductOfItsMaps() {
        let (a, b, c) = (
            BlockDiagonalMap(
                blocks: values(12, seed: 4), blockCount: 2,
                blockShape: LinearShape(outputCount: 3, inputCount: 2), places: [1, 0, 3, 2, 5, 4]),
            SparseMap(
                inputCount: 6, outputCount: 5, entries: [(0, 1, 2), (4, 5, -1), (2, 2, 0.5)]),
            FoldedMap(
                core: values(4, seed: 5), pieceLength: 2, inputCount: 5, outputCount: 4)
        )
        let product = multiply(
            c.matrix(), multiply(b.matrix(), a.matrix(), inner: 6, columns: 4), inner: 5,
            columns: 4)
        expectEqual(ChainMap([a, b, c]), product, "three maps")
        expectEqual(ChainMap([a]), a.matrix(), "one map")
    }

    /// Rows that share the reading of values have the bits that each has alone.
    @Test(arguments: [1, 2, 7, 8, 9, 21])
    func rowsOfASparseMapHaveTheSameBitsTogether(rowCount: Int) throws {
        let (inputCount, outputCount) = (50, 23)
        let numbers = values(400, seed: 20)
        let entries = (0..<400).map { index in
            (output: index * 7 % 19, input: index * 11 % inputCount, value: numbers[index])
        }
        let map = SparseMap(
            inputCount: inputCount, outputCount: outputCount, entries: entries)
        let transposed = SparseMap(
            inputCount: outputCount, outputCount: inputCount,
            entries: entries.map { ($0.input, $0.output, $0.value) })
        let rows = values(rowCount * inputCount, seed: 21)
        let together = try #require(transposed.product(from: rows))
        for row in 0..<rowCount {
            let alone = map.applied(to: Array(rows[row * inputCount..<(row + 1) * inputCount]))
            #expect(together[row * outputCount..<(row + 1) * outputCount].elementsEqual(alone))
        }
    }

    private func multiply(
        _ left: [Float], _ right: [Float], inner: Int, columns: Int
    ) -> [Float] {
        (0..<left.count / inner * columns).map { index in
            (0..<inner).reduce(Float(0)) {
                $0 + left[index / columns * inner + $1] * right[$1 * columns + index % columns]
            }
        }
    }
}
