import Kernels
import Testing

extension InstructionSetSuites {
    /// Several products as one job, and products with row-major matrices.
    struct ProductBatchTests {
        static let seed: UInt64 = 77

        /// output = scale · X Aᵀ through a batch.
        private func dots(
            _ matrix: RowMatrix, _ input: [Float], rowCount: Int, scale: Float, threads: Int
        ) -> [Float] {
            var output = [Float](repeating: .nan, count: rowCount * matrix.outputCount)
            let batch = ProductBatch(pool: WorkerPool(threadCount: threads))
            output.withUnsafeMutableBufferPointer { output in
                input.withUnsafeBufferPointer { input in
                    batch.begin(
                        input: input.baseAddress!, rowCount: rowCount, stride: matrix.inputCount,
                        width: matrix.inputCount)
                    batch.add(
                        matrix.view, rows: 0..<rowCount, output: output.baseAddress!,
                        outputStride: matrix.outputCount, scale: scale)
                    batch.run()
                }
            }
            return output
        }

        private func rowMatrix(_ stored: StoredMatrix) -> RowMatrix {
            RowMatrix(
                copying: WeightMatrix(
                    pointer: UnsafeRawPointer(stored.bytes.pointer), type: stored.type,
                    outputCount: stored.outputCount, inputCount: stored.inputCount))
        }

        @Test(arguments: [WeightType.f32, .f16, .bf16])
        func rowMajorProductsAreWithinRoundingOfDoubleArithmetic(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed)
            for (rank, width, rowCount) in [(1, 16, 1), (8, 301, 7), (13, 64, 40), (5, 7, 3)] {
                let stored = StoredMatrix(
                    type, outputCount: rank, inputCount: width, using: &random)
                let input = random.floats(rowCount * width)
                for set in InstructionSet.runnable {
                    InstructionSet.use(set)
                    defer { InstructionSet.use(.strongest) }
                    let output = dots(
                        rowMatrix(stored), input, rowCount: rowCount, scale: 0.75, threads: 2)
                    for row in 0..<rowCount {
                        for out in 0..<rank {
                            let sum = (0..<width).reduce(0.0) {
                                $0 + Double(input[row * width + $1])
                                    * Double(stored.values[out * width + $1])
                            }
                            let difference = Double(output[row * rank + out]) - 0.75 * sum
                            #expect(abs(difference) < 1e-4, "\(type) \(set) \(rank) \(width)")
                        }
                    }
                }
            }
        }

        @Test(arguments: [WeightType.f32, .f16, .bf16])
        func aRowOfARowMajorProductHasTheSameBitsAloneAndInAnyBatch(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 1)
            let stored = StoredMatrix(type, outputCount: 11, inputCount: 100, using: &random)
            let matrix = rowMatrix(stored)
            let input = random.floats(70 * 100)
            InstructionSet.use(.portable)
            let portable = dots(matrix, input, rowCount: 70, scale: 2, threads: 1)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                for rowCount in [1, 2, 3, 4, 5, 31, 70] {
                    for threads in 1...2 {
                        let together = dots(
                            matrix, input, rowCount: rowCount, scale: 2, threads: threads)
                        #expect(
                            together.elementsEqual(portable.prefix(rowCount * 11)),
                            "\(type) \(set) \(rowCount)")
                    }
                }
            }
        }

        @Test(arguments: WeightType.allCases)
        func productsOfABatchAreThoseOfEachAlone(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 2)
            let (rowCount, width) = (21, 96)
            let input = random.floats(rowCount * width)
            let matrices = [40, 16, 75].map {
                StoredMatrix(type, outputCount: $0, inputCount: width, using: &random).packed()
            }
            let pool = WorkerPool(threadCount: 2)
            let batch = ProductBatch(pool: pool)
            let rows = [0..<21, 3..<9, 20..<21]
            input.withUnsafeBufferPointer { input in
                let outputs = matrices.map {
                    AlignedBuffer<Float>(count: rowCount * $0.outputCount)
                }
                batch.begin(
                    input: input.baseAddress!, rowCount: rowCount, stride: width, width: width)
                for index in matrices.indices {
                    batch.add(
                        matrices[index].view, rows: rows[index], output: outputs[index].pointer,
                        outputStride: matrices[index].outputCount, accumulating: false)
                }
                batch.run()
                for index in matrices.indices {
                    let count = rows[index].count * matrices[index].outputCount
                    var alone = [Float](repeating: .nan, count: count)
                    alone.withUnsafeMutableBufferPointer {
                        matrices[index].multiply(
                            input: input.baseAddress! + rows[index].lowerBound * width,
                            rowCount: rows[index].count, inputStride: width,
                            output: $0.baseAddress!, outputStride: matrices[index].outputCount,
                            pool: pool)
                    }
                    let together = UnsafeBufferPointer(start: outputs[index].pointer, count: count)
                    #expect(together.elementsEqual(alone))
                }
            }
        }

        @Test(arguments: [WeightType.f32, .f16, .bf16])
        func rowMajorMatricesUnpackToTheirValues(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 3)
            let stored = StoredMatrix(type, outputCount: 3, inputCount: 21, using: &random)
            var values = [Float](repeating: .nan, count: 63)
            values.withUnsafeMutableBufferPointer {
                rowMatrix(stored).unpack(into: $0.baseAddress!)
            }
            #expect(values == stored.values)
        }
    }
}
