import Foundation
import Kernels
import Synchronization
import Testing

extension InstructionSetSuites {
    struct AttentionTests {
        private static let samples = [
            (4, 2, 16, 0, 40), (6, 2, 24, 5, 37), (3, 3, 8, 16, 20), (9, 3, 64, 33, 50),
            (1, 1, 2, 1, 1), (2, 1, 48, 0, 33),
        ]

        /// Where queries and probabilities are rounded to bf16 as well, results lie further off.
        @Test(arguments: samples, KeyValueType.allCases)
        func attentionFollowsItsDefinition(
            sample: (Int, Int, Int, Int, Int), type: KeyValueType
        ) {
            let sample = AttentionSample(
                queryHeads: sample.0, keyValueHeads: sample.1, dimension: sample.2,
                prefixCount: sample.3, tokenCount: sample.4, type: type, seed: 21)
            let expected = sample.expected()
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                let tolerance = type == .bf16 && set == .avx512bf16 ? 1e-2 : 2e-5
                let output = sample.run(0..<sample.tokenCount, chunk: sample.tokenCount, threads: 2)
                for (value, expected) in zip(output, expected) {
                    #expect(abs(Double(value) - expected) < tolerance, "\(set)")
                }
            }
        }

        @Test(arguments: KeyValueType.allCases)
        func aRowHasTheSameBitsHoweverRowsAreCut(type: KeyValueType) {
            let sample = AttentionSample(
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
            func sample(_ spoilt: [Int: Float]) -> AttentionSample {
                AttentionSample(
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
