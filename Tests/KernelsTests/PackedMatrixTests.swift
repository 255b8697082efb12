import Kernels
import Testing

extension InstructionSetSuites {
    /// Products and unpacking.
    struct PackedMatrixTests {
        static let seed: UInt64 = 20_240_117

        private func product(
            _ matrix: PackedMatrix, _ input: [Float], rowCount: Int, threads: Int,
            start: [Float]? = nil, slack: Int = 0
        ) -> [Float] {
            let stride = matrix.outputCount + slack
            var output = start ?? Array(repeating: .nan, count: rowCount * stride)
            let pool = WorkerPool(threadCount: threads)
            output.withUnsafeMutableBufferPointer { output in
                input.withUnsafeBufferPointer { input in
                    matrix.multiply(
                        input: input.baseAddress!, rowCount: rowCount,
                        inputStride: matrix.inputCount,
                        output: output.baseAddress!, outputStride: stride,
                        accumulating: start != nil, pool: pool)
                }
            }
            return output
        }

        @Test(arguments: WeightType.allCases)
        func unpackingGivesTheStoredValuesExactly(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed)
            let inputCount = type.blockElementCount == 1 ? 37 : 96
            let stored = StoredMatrix(type, outputCount: 35, inputCount: inputCount, using: &random)
            let matrix = stored.packed(pool: WorkerPool(threadCount: 2))
            var unpacked = [Float](repeating: .nan, count: stored.values.count)
            unpacked.withUnsafeMutableBufferPointer {
                matrix.unpack(into: $0.baseAddress!, pool: nil)
            }
            #expect(unpacked == stored.values)
            var row = [Float](repeating: .nan, count: inputCount)
            row.withUnsafeMutableBufferPointer { matrix.unpackRow(34, into: $0.baseAddress!) }
            #expect(row == Array(stored.values[(34 * inputCount)...]))
        }

        @Test(arguments: WeightType.allCases)
        func productsAreWithinRoundingOfDoubleArithmetic(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 1)
            let inputCount = type.blockElementCount == 1 ? 301 : 320
            let stored = StoredMatrix(type, outputCount: 40, inputCount: inputCount, using: &random)
            let matrix = stored.packed()
            let rowCount = 9
            let input = random.floats(rowCount * inputCount)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let output = product(matrix, input, rowCount: rowCount, threads: 2)
                // Inputs rounded to bf16 are 2⁻⁹ off, f32 chains n·2⁻²⁴ at most. Types of blocks
                // take rounded rows, whose products are as exact as any.
                let unit =
                    set == .avx512bf16 && type == .bf16 ? 0x1p-8 : Double(inputCount) * 0x1p-24
                let input = type.blockElementCount == 1 ? input : roundedToBlocks(input)
                for row in 0..<rowCount {
                    for out in 0..<40 {
                        var sum = 0.0
                        var norm = 0.0
                        for k in 0..<inputCount {
                            let term =
                                Double(input[row * inputCount + k])
                                * Double(stored.values[out * inputCount + k])
                            sum += term
                            norm += abs(term)
                        }
                        #expect(abs(Double(output[row * 40 + out]) - sum) <= norm * unit + 1e-30)
                    }
                }
            }
        }

        @Test(arguments: WeightType.allCases)
        func aRowHasTheSameBitsAloneAndInAnyBatchAndOnAnyThreads(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 2)
            // Odd counts, a partly filled panel, more inputs than a chunk; whole blocks where
            // needed.
            let inputCount = type.blockElementCount == 1 ? 1031 : 1056
            let stored = StoredMatrix(type, outputCount: 83, inputCount: inputCount, using: &random)
            let matrix = stored.packed()
            let input = random.floats(40 * inputCount)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let alone = (0..<40).flatMap { row in
                    product(
                        matrix, Array(input[row * inputCount..<(row + 1) * inputCount]),
                        rowCount: 1,
                        threads: 1)
                }
                for rowCount in [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16, 25, 31, 40] {
                    for threads in 1...3 {
                        let together = product(matrix, input, rowCount: rowCount, threads: threads)
                        #expect(
                            together.elementsEqual(alone.prefix(rowCount * 83)),
                            "\(type) \(set): \(rowCount) rows, \(threads) threads")
                    }
                }
            }
        }

        @Test(arguments: WeightType.allCases)
        func everyInstructionSetAgreesWithPortableBitForBit(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 3)
            let inputCount = type.blockElementCount == 1 ? 133 : 160
            let matrix = StoredMatrix(
                type, outputCount: 50, inputCount: inputCount, using: &random
            ).packed()
            let input = random.floats(8 * inputCount)
            InstructionSet.use(.portable)
            defer { InstructionSet.use(.strongest) }
            let portable = product(matrix, input, rowCount: 8, threads: 1)
            for set in InstructionSet.runnable where !(set == .avx512bf16 && type == .bf16) {
                InstructionSet.use(set)
                #expect(
                    product(matrix, input, rowCount: 8, threads: 1) == portable, "\(type) \(set)")
            }
        }

        @Test(arguments: WeightType.allCases)
        func narrowOutputsOfManyRowsAccumulateTheSameBitsAsOneByOne(type: WeightType) {
            // The shape of a low-rank operator: one partly filled panel, more rows than a task has.
            var random = SeededGenerator(seed: Self.seed + 8)
            let (rowCount, outputCount, inputCount) = (300, 8, 288)
            let matrix = StoredMatrix(
                type, outputCount: outputCount, inputCount: inputCount, using: &random
            ).packed()
            let input = random.floats(rowCount * inputCount)
            let start = random.floats(rowCount * outputCount)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let together = product(matrix, input, rowCount: rowCount, threads: 2, start: start)
                for row in stride(from: 0, to: rowCount, by: 7) {
                    let outputs = row * outputCount..<(row + 1) * outputCount
                    let alone = product(
                        matrix, Array(input[row * inputCount..<(row + 1) * inputCount]),
                        rowCount: 1, threads: 1, start: Array(start[outputs]))
                    #expect(alone.elementsEqual(together[outputs]), "\(type) \(set): row \(row)")
                }
            }
        }

        @Test func theBitComparisonCanFail() {
            // The same sum in another order differs: what the tests above would see of a kernel
            // that reduced differently for one row.
            var random = SeededGenerator(seed: Self.seed + 4)
            let stored = StoredMatrix(.f32, outputCount: 16, inputCount: 500, using: &random)
            let input = random.floats(500)
            let output = product(stored.packed(), input, rowCount: 1, threads: 1)
            let reversed = (0..<16).map { out in
                stride(from: 499, through: 0, by: -1).reduce(Float(0)) { sum, k in
                    sum.addingProduct(input[k], stored.values[out * 500 + k])
                }
            }
            #expect(output != reversed)
        }

        @Test(arguments: [WeightType.q8_0, .q4_0, .q4_1])
        func blocksAtTheirExtremesAreExact(type: WeightType) {
            // Levels and inputs as large as they get, in every pairing of signs: sums of integer
            // products must not overflow at any level.
            for (weight, sign) in [(UInt8(0x80), Float(1)), (0x80, -1), (0x7f, 1), (0xff, -1)] {
                let stored = StoredMatrix(
                    type, outputCount: 16, inputCount: 64, scale: 0.5, levels: weight)
                let input = (0..<64).map { sign * ($0 % 3 == 0 ? 127 : $0 % 3 == 1 ? -127 : 126) }
                let expected = (0..<16).map { out in
                    (0..<64).reduce(Float(0)) { $0 + input[$1] * stored.values[out * 64 + $1] }
                }
                for set in InstructionSet.runnable {
                    InstructionSet.use(set)
                    defer { InstructionSet.use(.strongest) }
                    for rowCount in [1, 5] {
                        let rows = (0..<rowCount).flatMap { _ in input }
                        let output = product(stored.packed(), rows, rowCount: rowCount, threads: 1)
                        #expect(output.prefix(16).elementsEqual(expected), "\(type) \(set)")
                    }
                }
            }
        }

        @Test(arguments: [WeightType.q8_0, .q4_0, .q4_1])
        func anInputThatIsNotFiniteReachesEveryOutput(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 9)
            let matrix = StoredMatrix(type, outputCount: 20, inputCount: 96, using: &random)
                .packed()
            for value in [Float.nan, .infinity, -.infinity] {
                var input = random.floats(96)
                input[40] = value
                for set in InstructionSet.runnable {
                    InstructionSet.use(set)
                    defer { InstructionSet.use(.strongest) }
                    let output = product(matrix, input, rowCount: 1, threads: 1)
                    #expect(output.allSatisfy { !$0.isFinite })
                }
            }
        }

        @Test func roundingKeepsZerosTinyAndHugeInputs() {
            var random = SeededGenerator(seed: Self.seed + 10)
            let stored = StoredMatrix(.q8_0, outputCount: 16, inputCount: 32, using: &random)
            for scale in [Float(0), 1e-38, 1e-20, 1e30] {
                let input = random.floats(32).map { $0 * scale }
                let output = product(stored.packed(), input, rowCount: 1, threads: 1)
                let rounded = roundedToBlocks(input)
                for out in 0..<16 {
                    let sum = (0..<32).reduce(0.0) {
                        $0 + Double(rounded[$1]) * Double(stored.values[out * 32 + $1])
                    }
                    #expect(abs(Double(output[out]) - sum) <= abs(sum) * 1e-4 + 1e-30)
                }
            }
        }

        @Test(arguments: WeightType.allCases)
        func accumulatingAddsToTheOutput(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 5)
            let inputCount = type.blockElementCount == 1 ? 70 : 64
            let stored = StoredMatrix(type, outputCount: 21, inputCount: inputCount, using: &random)
            for rowCount in [1, 2, 5, 17] {
                let input = random.floats(rowCount * inputCount)
                let start = random.floats(rowCount * 21)
                let plain = product(stored.packed(), input, rowCount: rowCount, threads: 2)
                let added = product(
                    stored.packed(), input, rowCount: rowCount, threads: 2, start: start)
                for index in added.indices {
                    #expect(abs(added[index] - (start[index] + plain[index])) < 2e-2)
                }
            }
        }

        @Test(arguments: WeightType.allCases)
        func nothingIsWrittenBesideTheOutput(type: WeightType) {
            var random = SeededGenerator(seed: Self.seed + 6)
            let inputCount = type.blockElementCount == 1 ? 45 : 64
            for outputCount in [1, 15, 16, 17, 33, 70] {
                let stored = StoredMatrix(
                    type, outputCount: outputCount, inputCount: inputCount, using: &random)
                for rowCount in [1, 2, 4, 6, 9, 14] {
                    let input = random.floats(rowCount * inputCount)
                    let output = product(
                        stored.packed(), input, rowCount: rowCount, threads: 2, slack: 5)
                    for row in 0..<rowCount {
                        let end = row * (outputCount + 5) + outputCount
                        #expect(output[end..<end + 5].allSatisfy { $0.isNaN })
                        #expect(output[(end - outputCount)..<end].allSatisfy { !$0.isNaN })
                    }
                }
            }
        }

        @Test func aFilledMatrixGivesTheBitsOfThePackedOne() {
            var random = SeededGenerator(seed: Self.seed + 7)
            let stored = StoredMatrix(.bf16, outputCount: 30, inputCount: 64, using: &random)
            let packed = stored.packed()
            let filled = PackedMatrix(type: .bf16, outputCount: 30, inputCount: 64) {
                $0.copyMemory(from: packed.bytes)
            }
            let input = random.floats(3 * 64)
            #expect(
                product(filled, input, rowCount: 3, threads: 1)
                    == product(packed, input, rowCount: 3, threads: 1))
        }
    }
}
