import Foundation
import Kernels

/// An `AttentionRule` with numbers of its own, and how many own tokens all rows see.
struct SampleRule {
    var window = 0
    var softCap: Float = 0
    var slopes: [Float]?
    var sinks: [Float]?
    var sharedCount = 0

    func withRule<Result>(_ body: (AttentionRule) -> Result) -> Result {
        (slopes ?? []).withUnsafeBufferPointer { slopePointer in
            (sinks ?? []).withUnsafeBufferPointer { sinkPointer in
                body(
                    AttentionRule(
                        window: window, softCap: softCap,
                        slopes: slopes == nil ? nil : slopePointer.baseAddress,
                        sinks: sinks == nil ? nil : sinkPointer.baseAddress))
            }
        }
    }

    /// The first token, of prefix and own ones together, that the token at `index` sees.
    func firstSeen(from index: Int) -> Int { window == 0 ? 0 : max(0, index + 1 - window) }
}

/// Random keys, values and queries of one sequence, with pages filled from them.
struct AttentionSample {
    let shape: AttentionShape
    let prefixCount: Int
    let tokenCount: Int
    let keys: [Float]
    let values: [Float]
    let queries: [Float]
    let pages: [AlignedBuffer<Float>]
    let prefixPages: [AlignedBuffer<Float>]
    /// Spoils whatever reads it.
    private let gonePage: AlignedBuffer<Float>

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
        gonePage = AlignedBuffer(count: Attention.pageWordCount(shape))
        for i in 0..<gonePage.count { gonePage.pointer[i] = .nan }
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

    /// The pages of tokens from `firstToken` on, but those that end before `firstSeen` are gone.
    private func pointers(
        _ pages: [AlignedBuffer<Float>], from firstToken: Int, count: Int, firstSeen: Int
    ) -> [UnsafePointer<Float>] {
        pages.enumerated().map { index, page in
            let end = firstToken + min(index * 16 + 16, count)
            return UnsafePointer(end <= firstSeen ? gonePage.pointer : page.pointer)
        }
    }

    /// Attention of rows `range`, cut into slices of `chunk` rows, each with the pages that its
    /// first row sees, or later ones do.
    func run(
        _ range: Range<Int>, chunk: Int, threads: Int, rule: SampleRule = SampleRule()
    ) -> [Float] {
        let width = shape.queryHeadCount * shape.headDimension
        var output = [Float](repeating: .nan, count: tokenCount * width)
        let firsts = Array(stride(from: range.lowerBound, to: range.upperBound, by: chunk))
        var places: [UnsafePointer<Float>] = []
        for first in firsts {
            let seen = rule.firstSeen(from: prefixCount + first)
            places += pointers(prefixPages, from: 0, count: prefixCount, firstSeen: seen)
            places += pointers(pages, from: prefixCount, count: tokenCount, firstSeen: seen)
        }
        let pool = WorkerPool(threadCount: threads)
        let scratch = AttentionScratch()
        output.withUnsafeMutableBufferPointer { output in
            queries.withUnsafeBufferPointer { queries in
                places.withUnsafeBufferPointer { places in
                    let slices = firsts.enumerated().map { index, first in
                        let prefix =
                            places.baseAddress! + index * (prefixPages.count + pages.count)
                        return AttentionSlice(
                            queries: queries.baseAddress! + first * width,
                            queryStride: width,
                            output: output.baseAddress! + first * width,
                            outputStride: width,
                            rowCount: min(chunk, range.upperBound - first),
                            firstRowVisibleCount: first + 1,
                            sharedVisibleCount: rule.sharedCount,
                            prefixPages: prefixCount > 0 ? prefix : nil,
                            prefixTokenCount: prefixCount, pages: prefix + prefixPages.count)
                    }
                    slices.withUnsafeBufferPointer { slices in
                        rule.withRule {
                            Attention.run(
                                slices: slices, shape: shape, rule: $0, scratch: scratch,
                                pool: pool)
                        }
                    }
                }
            }
        }
        return output
    }

    /// The definition, in doubles, of all rows or some.
    func expected(_ rule: SampleRule = SampleRule(), rows: [Int]? = nil) -> [Double] {
        (rows ?? Array(0..<tokenCount)).flatMap { row in
            (0..<shape.queryHeadCount).flatMap { expected(rule, row: row, head: $0) }
        }
    }

    private func expected(_ rule: SampleRule, row: Int, head: Int) -> [Double] {
        let dimension = shape.headDimension
        let width = shape.keyValueHeadCount * dimension
        let query = (row * shape.queryHeadCount + head) * dimension
        let columns =
            rule.firstSeen(from: prefixCount + row)..<prefixCount + max(row + 1, rule.sharedCount)
        let offset = head / (shape.queryHeadCount / shape.keyValueHeadCount) * dimension
        let cap = Double(rule.softCap)
        let slope = Double(rule.slopes?[head] ?? 0)
        let scores = columns.map { token in
            let score =
                (0..<dimension).reduce(0.0) {
                    $0 + Double(queries[query + $1]) * Double(keys[token * width + offset + $1])
                } * Double(shape.scale)
            return (cap > 0 ? cap * tanh(score / cap) : score) + slope * Double(token)
        }
        let sink = rule.sinks.map { Double($0[head]) } ?? -.infinity
        let top = max(scores.max() ?? 0, sink)
        let weights = scores.map { exp($0 - top) }
        let sum = weights.reduce(exp(sink - top), +)
        return (0..<dimension).map { i in
            zip(columns, weights).reduce(0.0) {
                $0 + $1.1 / sum * Double(values[$1.0 * width + offset + i])
            }
        }
    }
}

/// The nearest value that bf16 holds, ties to even.
func nearestBF16(_ value: Float) -> Float {
    let unit = Float(sign: .plus, exponent: value.exponent - 7, significand: 1)
    return value == 0 ? 0 : (value / unit).rounded(.toNearestOrEven) * unit
}
