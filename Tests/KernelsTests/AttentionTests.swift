import Foundation
import Kernels
import Synchronization
import Testing

extension InstructionSetSuites {
    struct AttentionTests {
        /// Random keys, values and queries of one sequence, with pages filled from them.
        private struct Sample {
            let shape: AttentionShape
            let prefixCount: Int
            let tokenCount: Int
            let keys: [Float]
            let values: [Float]
            let queries: [Float]
            let pages: [AlignedBuffer<Float>]
            let prefixPages: [AlignedBuffer<Float>]

            init(
                queryHeads: Int, keyValueHeads: Int, dimension: Int, prefixCount: Int,
                tokenCount: Int, type: KeyValueType = .f32, seed: UInt64,
                spoiling spoilt: [Int: Float] = [:]
            ) {
                var random = SeededGenerator(seed: seed)
                shape = AttentionShape(
                    queryHeadCount: queryHeads, keyValueHeadCount: keyValueHeads,
                    headDimension: dimension, scale: 1 / Float(dimension).squareRoot(),
                    keyValueType: type)
                self.prefixCount = prefixCount
                self.tokenCount = tokenCount
                let width = keyValueHeads * dimension
                let stored = type == .f32 ? { $0 } : nearestBF16
                keys = random.floats((prefixCount + tokenCount) * width).map(stored)
                var values = random.floats((prefixCount + tokenCount) * width).map(stored)
                for (index, value) in spoilt { values[index] = value }
                self.values = values
                queries = random.floats(tokenCount * queryHeads * dimension).map { $0 * 3 }
                prefixPages = Self.fill(shape, keys, values, 0..<prefixCount)
                pages = Self.fill(shape, keys, values, prefixCount..<prefixCount + tokenCount)
            }

            private static func fill(
                _ shape: AttentionShape, _ keys: [Float], _ values: [Float], _ tokens: Range<Int>
            ) -> [AlignedBuffer<Float>] {
                let width = shape.keyValueHeadCount * shape.headDimension
                let pages = (0..<(tokens.count + 15) / 16).map { _ in
                    let page = AlignedBuffer<Float>(count: Attention.pageWordCount(shape))
                    // Stale but finite values, as a page that was used before holds.
                    for i in 0..<page.count { page.pointer[i] = 1e30 }
                    return page
                }
                for (index, token) in tokens.enumerated() {
                    keys.withUnsafeBufferPointer { keys in
                        values.withUnsafeBufferPointer { values in
                            Attention.storeKeyValue(
                                key: keys.baseAddress! + token * width,
                                value: values.baseAddress! + token * width, slot: index % 16,
                                page: pages[index / 16].pointer, shape: shape)
                        }
                    }
                }
                return pages
            }

            /// Attention of rows `range`, cut into slices of `chunk` rows.
            func run(_ range: Range<Int>, chunk: Int, threads: Int) -> [Float] {
                let width = shape.queryHeadCount * shape.headDimension
                var output = [Float](repeating: .nan, count: tokenCount * width)
                let pointers = pages.map { UnsafePointer($0.pointer) }
                let prefixPointers = prefixPages.map { UnsafePointer($0.pointer) }
                let pool = WorkerPool(threadCount: threads)
                let scratch = AttentionScratch()
                output.withUnsafeMutableBufferPointer { output in
                    queries.withUnsafeBufferPointer { queries in
                        pointers.withUnsafeBufferPointer { pages in
                            prefixPointers.withUnsafeBufferPointer { prefixPages in
                                let slices = stride(
                                    from: range.lowerBound, to: range.upperBound, by: chunk
                                ).map { first in
                                    AttentionSlice(
                                        queries: queries.baseAddress! + first * width,
                                        queryStride: width,
                                        output: output.baseAddress! + first * width,
                                        outputStride: width,
                                        rowCount: min(chunk, range.upperBound - first),
                                        firstRowVisibleCount: first + 1,
                                        prefixPages: prefixCount > 0
                                            ? prefixPages.baseAddress : nil,
                                        prefixTokenCount: prefixCount, pages: pages.baseAddress!)
                                }
                                slices.withUnsafeBufferPointer {
                                    Attention.run(
                                        slices: $0, shape: shape, scratch: scratch, pool: pool)
                                }
                            }
                        }
                    }
                }
                return output
            }

            /// The definition, in doubles.
            var expected: [Double] {
                let width = shape.keyValueHeadCount * shape.headDimension
                let dimension = shape.headDimension
                let group = shape.queryHeadCount / shape.keyValueHeadCount
                var result: [Double] = []
                for row in 0..<tokenCount {
                    for head in 0..<shape.queryHeadCount {
                        let query = (row * shape.queryHeadCount + head) * dimension
                        let columns = 0..<prefixCount + row + 1
                        let offset = head / group * dimension
                        let scores = columns.map { token in
                            (0..<dimension).reduce(0.0) {
                                $0 + Double(queries[query + $1])
                                    * Double(keys[token * width + offset + $1])
                            } * Double(shape.scale)
                        }
                        let top = scores.max() ?? 0
                        let weights = scores.map { exp($0 - top) }
                        let sum = weights.reduce(0, +)
                        for i in 0..<dimension {
                            result.append(
                                columns.reduce(0.0) {
                                    $0 + weights[$1] / sum * Double(values[$1 * width + offset + i])
                                })
                        }
                    }
                }
                return result
            }
        }

        private static let samples = [
            (4, 2, 16, 0, 40), (6, 2, 24, 5, 37), (3, 3, 8, 16, 20), (9, 3, 64, 33, 50),
            (1, 1, 2, 1, 1), (2, 1, 48, 0, 33),
        ]

        /// Where queries and probabilities are rounded to bf16 as well, results lie further off.
        @Test(arguments: samples, KeyValueType.allCases)
        func attentionFollowsItsDefinition(
            sample: (Int, Int, Int, Int, Int), type: KeyValueType
        ) {
            let sample = Sample(
                queryHeads: sample.0, keyValueHeads: sample.1, dimension: sample.2,
                prefixCount: sample.3, tokenCount: sample.4, type: type, seed: 21)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let tolerance = type == .bf16 && set == .avx512bf16 ? 1e-2 : 2e-5
                let output = sample.run(0..<sample.tokenCount, chunk: sample.tokenCount, threads: 2)
                for (value, expected) in zip(output, sample.expected) {
                    #expect(abs(Double(value) - expected) < tolerance, "\(set)")
                }
            }
        }

        @Test(arguments: KeyValueType.allCases)
        func aRowHasTheSameBitsHoweverRowsAreCut(type: KeyValueType) {
            let sample = Sample(
                queryHeads: 6, keyValueHeads: 2, dimension: 24, prefixCount: 19, tokenCount: 70,
                type: type, seed: 22)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let whole = sample.run(0..<70, chunk: 70, threads: 1)
                for chunk in [1, 3, 7, 16, 17, 64] {
                    for threads in 1...2 {
                        #expect(
                            sample.run(0..<70, chunk: chunk, threads: threads) == whole, "\(set)")
                    }
                }
            }
        }

        /// Also of a tile or a page that such a token shares, and in the same chunk; and what bf16
        /// has no number for is not finite either.
        @Test(arguments: KeyValueType.allCases, [Float.nan, .infinity, -.infinity, 3.4e38])
        func aValueThatIsNotFiniteReachesOnlyRowsThatSeeIt(type: KeyValueType, value: Float) {
            let (dimension, token) = (24, 21)
            func sample(_ spoilt: [Int: Float]) -> Sample {
                Sample(
                    queryHeads: 6, keyValueHeads: 2, dimension: dimension, prefixCount: 0,
                    tokenCount: 40, type: type, seed: 24, spoiling: spoilt)
            }
            // Of the second key-value head, whose query heads are the last three.
            let spoilt = sample([token * 2 * dimension + dimension + 5: value])
            let isFinite = type == .f32 && value.isFinite
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let plain = sample([:]).run(0..<40, chunk: 40, threads: 1)
                for chunk in [1, 9, 40] {
                    let output = spoilt.run(0..<40, chunk: chunk, threads: 2)
                    let wrong = output.indices.first { index in
                        let (row, column) = index.quotientAndRemainder(dividingBy: 6 * dimension)
                        let sees = row >= token && column >= 3 * dimension
                        return sees
                            ? output[index].isFinite != isFinite : output[index] != plain[index]
                    }
                    #expect(wrong == nil, "\(set), chunks of \(chunk)")
                }
            }
        }

        /// Counts how often a token isn't what was stored while another thread stores its
        /// neighbour.
        private final class NeighbourStoring: WorkerJob {
            static let shape = AttentionShape(
                queryHeadCount: 1, keyValueHeadCount: 1, headDimension: 64, scale: 1,
                keyValueType: .bf16)
            let page = AlignedBuffer<Float>(count: Attention.pageWordCount(shape))
            let lostCount = Atomic(0)

            override func perform(task: Int, worker: Int) {
                let dimension = Self.shape.headDimension
                let numbers = AlignedBuffer<Float>(count: 3 * dimension)
                let (given, key) = (numbers.pointer, numbers.pointer + dimension)
                let value = key + dimension
                for round in 0..<100_000 {
                    given.update(repeating: Float(round % 256), count: dimension)
                    Attention.storeKeyValue(
                        key: given, value: given, slot: 6 + task, page: page.pointer,
                        shape: Self.shape)
                    Attention.loadKeyValue(
                        page: page.pointer, slot: 6 + task, shape: Self.shape, key: key,
                        value: value)
                    if memcmp(given, value, dimension * 4) != 0
                        || memcmp(given, key, dimension * 4) != 0
                    {
                        lostCount.add(1, ordering: .relaxed)
                    }
                }
            }
        }

        @Test func twoTokensOfOneWordAreStoredAtOnce() {
            let pool = WorkerPool(threadCount: 2)
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let storing = NeighbourStoring()
                pool.run(taskCount: 2, storing)
                #expect(storing.lostCount.load(ordering: .relaxed) == 0, "\(set)")
            }
        }

        @Test(arguments: [8, 24, 64])
        func aPageGivesBackWhatWasStored(dimension: Int) {
            var random = SeededGenerator(seed: 23)
            let keys = random.floats(16 * 2 * dimension)
            let values = random.floats(16 * 2 * dimension)
            for type in KeyValueType.allCases {
                let shape = AttentionShape(
                    queryHeadCount: 2, keyValueHeadCount: 2, headDimension: dimension, scale: 1,
                    keyValueType: type)
                for set in InstructionSet.runnable {
                    InstructionSet.use(set)
                    defer { InstructionSet.use(.strongest) }
                    let page = AlignedBuffer<Float>(count: Attention.pageWordCount(shape))
                    for slot in 0..<16 {
                        let place = slot * 2 * dimension
                        Attention.storeKeyValue(
                            key: Array(keys[place...]), value: Array(values[place...]), slot: slot,
                            page: page.pointer, shape: shape)
                    }
                    for slot in 0..<16 {
                        var key = [Float](repeating: 0, count: 2 * dimension)
                        var value = key
                        Attention.loadKeyValue(
                            page: page.pointer, slot: slot, shape: shape, key: &key, value: &value)
                        let tokens = slot * 2 * dimension..<(slot + 1) * 2 * dimension
                        let stored = type == .f32 ? { $0 } : nearestBF16
                        #expect(key == keys[tokens].map(stored), "\(set) \(type)")
                        #expect(value == values[tokens].map(stored), "\(set) \(type)")
                    }
                }
            }
        }
    }
}

/// The nearest value that bf16 holds, ties to even.
private func nearestBF16(_ value: Float) -> Float {
    let unit = Float(sign: .plus, exponent: value.exponent - 7, significand: 1)
    return value == 0 ? 0 : (value / unit).rounded(.toNearestOrEven) * unit
}
