import Adapters
import Kernels
import Testing
import Transformer

/// An answer depends on its own request alone: the logits of a sequence have the same bits whoever
/// shares its steps, however its prompt is cut, on any number of threads.
struct InvarianceTests {
    /// A sequence with its adapters; all positions get logits.
    struct Request {
        var plan: AdapterPlan
        var tokens: [Int32]
    }

    static let bases = [
        "tiny-llama", "tiny-llama-bf16", "tiny-qwen2", "gguf/tiny-llama-F16.gguf",
        "gguf/tiny-llama-Q8_0.gguf", "gguf/tiny-llama-Q4_0.gguf", "gguf/tiny-llama-Q4_1.gguf",
        "gguf/tiny-qwen2-Q8_0.gguf",
    ]

    /// Selections that fit the base: itself, adapters alone, at other weights, mixed, with a
    /// prefix.
    private func plans(_ base: BaseModel, _ name: String) throws -> [AdapterPlan] {
        let selections: [[(String, Float)]] =
            switch name {
            case "tiny-llama-bf16": [[], [("wide-llama3", 1)], [("wide-llama3", 0.25)]]
            case _ where name.contains("qwen2"): [[], [("qwen", 1)], [("qwen", -0.5)]]
            default:
                [
                    [], [("law", 1)], [("medicine", 1)], [("law", 0.5), ("medicine", 0.5)],
                    [("rank-64", 1)], [("prefix", 1)], [("rslora", 1)],
                ]
            }
        return try selections.map { selection in
            try AdapterPlan(
                selection.map {
                    SelectedOperators(
                        name: $0.0, operators: try GoldenTests.operators($0.0, on: base),
                        weight: $0.1)
                }, slots: base.slots)
        }
    }

    /// Logits of the first request at every position while all of them are computed side by side.
    func logits(
        _ requests: [Request], base: BaseModel, chunk: Int, threads: Int
    ) -> [Float] {
        let rowCount = requests.reduce(0) { $0 + min(chunk, $1.tokens.count) }
        let pagesEach = KeyValuePagePool.pageCount(forTokens: requests.map(\.tokens.count).max()!)
        let pool = KeyValuePagePool(
            pageCount: pagesEach * requests.count, layerCount: base.configuration.layerCount,
            shape: base.attentionShape)
        let pass = ForwardPass(
            base: base, pages: pool, pool: WorkerPool(threadCount: threads),
            maximumRowCount: rowCount, maximumLogitsRowCount: rowCount)
        let pages = requests.map { _ in (0..<pagesEach).compactMap { _ in pool.allocate() } }
        // Slices of one plan stand side by side.
        let order = requests.indices.sorted {
            ObjectIdentifier(requests[$0].plan) < ObjectIdentifier(requests[$1].plan)
        }
        var done = requests.map { _ in 0 }
        var result: [Float] = []
        while done[0] < requests[0].tokens.count {
            var slices: [StepSlice] = []
            var firstRow = 0
            for index in order {
                let tokens = requests[index].tokens.dropFirst(done[index]).prefix(chunk)
                guard !tokens.isEmpty else { continue }
                if index == 0 { firstRow = slices.reduce(0) { $0 + $1.tokens.count } }
                slices.append(
                    StepSlice(
                        plan: requests[index].plan, tokens: Array(tokens),
                        cachedTokenCount: done[index], pages: pages[index], firstLogitsRow: 0))
                done[index] += tokens.count
            }
            let own = min(chunk, requests[0].tokens.count - result.count / vocabularyCount(base))
            let logits = pass.step(slices)
            for row in firstRow..<firstRow + own { result += logits.row(row) }
        }
        return result
    }

    private func vocabularyCount(_ base: BaseModel) -> Int { base.configuration.vocabularyCount }

    private func tokens(_ count: Int, seed: Int) -> [Int32] {
        (0..<count).map { Int32(($0 * 37 + seed * 101) % 250 + 3) }
    }

    @Test(arguments: bases)
    func aRequestHasTheSameBitsAloneAndAmongOthers(name: String) throws {
        let base = try GoldenTests.base(name, keyValueType: nil)
        let plans = try plans(base, name)
        for (index, plan) in plans.enumerated() {
            let request = Request(plan: plan, tokens: tokens(67, seed: index))
            let alone = logits([request], base: base, chunk: 512, threads: 1)
            #expect(alone.count == 67 * vocabularyCount(base))
            for chunk in [1, 7, 64] {
                #expect(
                    logits([request], base: base, chunk: chunk, threads: 2) == alone,
                    "\(name), selection \(index), chunks of \(chunk)")
            }
            for (batchCount, chunk) in [(2, 512), (5, 64), (9, 7), (32, 1), (32, 512)] {
                let others = (1..<batchCount).map {
                    Request(
                        plan: plans[(index + $0) % plans.count],
                        tokens: tokens(5 + $0 * 11 % 70, seed: 1000 + $0))
                }
                let together = logits(
                    [request] + others, base: base, chunk: chunk, threads: 1 + batchCount % 2)
                #expect(
                    together == alone, "\(name), selection \(index), \(batchCount) in a batch")
            }
        }
    }

    /// Requests of one step that want logits of different rows, or of none, while one has all of
    /// them.
    @Test(arguments: bases)
    func logitsOfSomeRowsAreThoseOfAll(name: String) throws {
        let base = try GoldenTests.base(name, keyValueType: nil)
        let plans = try plans(base, name)
        let width = vocabularyCount(base)
        for firstLogits in [[0, 39, 39, 30], [40, 36, 40, 39], [39, 40, 40, 40]] {
            let requests = firstLogits.indices.map {
                Request(plan: plans[$0 % plans.count], tokens: tokens(40, seed: $0))
            }
            let expected = requests.map { logits([$0], base: base, chunk: 512, threads: 1) }
            let pagesEach = KeyValuePagePool.pageCount(forTokens: 40)
            let pool = KeyValuePagePool(
                pageCount: pagesEach * requests.count, layerCount: base.configuration.layerCount,
                shape: base.attentionShape)
            let pass = ForwardPass(
                base: base, pages: pool, pool: WorkerPool(threadCount: 2), maximumRowCount: 160,
                maximumLogitsRowCount: 160)
            let order = requests.indices.sorted {
                ObjectIdentifier(requests[$0].plan) < ObjectIdentifier(requests[$1].plan)
            }
            let found = pass.step(
                order.map { index in
                    StepSlice(
                        plan: requests[index].plan, tokens: requests[index].tokens,
                        cachedTokenCount: 0,
                        pages: (0..<pagesEach).compactMap { _ in pool.allocate() },
                        firstLogitsRow: firstLogits[index])
                })
            var row = 0
            for index in order {
                for position in firstLogits[index]..<40 {
                    #expect(
                        Array(found.row(row))
                            == Array(expected[index][position * width..<(position + 1) * width]),
                        "\(name), request \(index), row \(position)")
                    row += 1
                }
            }
            #expect(row == found.rowCount)
        }
    }

    @Test(arguments: bases)
    func theComparisonSeesASmallDifference(name: String) throws {
        // A row more in front, or one token other than asked for: what a request would see of a
        // neighbour's state.
        let base = try GoldenTests.base(name, keyValueType: nil)
        let plan = AdapterPlan.base(base.slots)
        let own = tokens(20, seed: 1)
        var other = own
        other[3] += 1
        let alone = logits([Request(plan: plan, tokens: own)], base: base, chunk: 7, threads: 1)
        let changed = logits(
            [Request(plan: plan, tokens: other)], base: base, chunk: 7, threads: 1)
        let width = vocabularyCount(base)
        #expect(alone.prefix(3 * width) == changed.prefix(3 * width))
        #expect(alone.suffix(width) != changed.suffix(width))
    }

    @Test func theComparisonSeesAnotherOrderOfAdditions() throws {
        // Merged weights are the same function, added up in another order.
        let base = try GoldenTests.base("tiny-llama")
        let operators = try GoldenTests.operators("law", on: base)
        let merged = try operators.merged(
            name: "law", into: base, weight: 1, pool: GoldenTests.pool)
        let results = try [operators, merged].map {
            let plan = try AdapterPlan(
                [SelectedOperators(name: "law", operators: $0, weight: 1)], slots: base.slots)
            return logits(
                [Request(plan: plan, tokens: tokens(20, seed: 1))], base: base, chunk: 64,
                threads: 1)
        }
        #expect(results[0] != results[1])
    }
}
