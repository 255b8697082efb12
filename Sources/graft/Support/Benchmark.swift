import Foundation
import Kernels
import Transformer

/// Sequences of a fixed length under plans that take turns, run through the forward pass alone.
struct Benchmark {
    let base: BaseModel
    let plans: [AdapterPlan]
    let pool: WorkerPool
    let promptCount: Int
    let generateCount: Int
    let batchCount: Int

    /// Tokens per second of the whole batch.
    struct Speeds {
        let prefill: Double
        let decode: Double
    }

    /// Rows of a prefill step, at most.
    private static let chunkRowCount = 512

    private struct Sequence {
        let plan: AdapterPlan
        let pages: SlicePages
        var nextToken: Int32 = 0
        var tokenCount = 0
    }

    /// One run: all prompts in chunks, then all sequences together token by token.
    func run() -> Speeds {
        let shape = base.attentionShape
        // Sequences under one plan stand side by side, as the forward pass asks.
        let plans = (0..<batchCount).map { $0 % self.plans.count }.sorted().map { self.plans[$0] }
        let softPromptCount = plans.map(\.softPromptTokenCount).max() ?? 0
        let rowCount = softPromptCount + promptCount + generateCount
        let pages = KeyValuePagePool(
            pageCount: plans.reduce(0) { $0 + SlicePages.count(forTokens: rowCount, under: $1) },
            layerCount: plans.reduce(0) { max($0, $1.layerCount) }, shape: shape)
        let pass = ForwardPass(
            base: base, pages: pages, pool: pool,
            maximumRowCount: max(Self.chunkRowCount, batchCount),
            maximumLogitsRowCount: batchCount)
        var sequences = plans.map {
            Sequence(plan: $0, pages: SlicePages(forTokens: rowCount, under: $0, from: pages))
        }
        pages.touch()
        warmUp(pass, &sequences)
        let clock = ContinuousClock()
        let start = clock.now
        for index in sequences.indices { prefill(pass, &sequences[index], seed: index) }
        let middle = clock.now
        for _ in 0..<generateCount { decode(pass, &sequences) }
        let end = clock.now
        return Speeds(
            prefill: Double(promptCount * batchCount) / (middle - start).seconds,
            decode: Double(generateCount * batchCount) / (end - middle).seconds)
    }

    /// Touches weights and buffers, so that page faults are not measured.
    private func warmUp(_ pass: ForwardPass, _ sequences: inout [Sequence]) {
        for index in sequences.indices { prefill(pass, &sequences[index], seed: index) }
        for index in sequences.indices { sequences[index].tokenCount = 0 }
    }

    private func prefill(_ pass: ForwardPass, _ sequence: inout Sequence, seed: Int) {
        let prompt = sequence.plan.softPromptTokens + tokens(0..<promptCount, seed: seed)
        var done = 0
        while done < prompt.count {
            let count = min(Self.chunkRowCount, prompt.count - done)
            let isLast = done + count == prompt.count
            let logits = pass.step([
                StepSlice(
                    plan: sequence.plan, tokens: Array(prompt[done..<done + count]),
                    cachedTokenCount: done, pages: sequence.pages,
                    firstLogitsRow: isLast ? count - 1 : count)
            ])
            if isLast { sequence.nextToken = greedy(logits, row: 0) }
            done += count
        }
        sequence.tokenCount = prompt.count
    }

    private func decode(_ pass: ForwardPass, _ sequences: inout [Sequence]) {
        let logits = pass.step(
            sequences.map {
                StepSlice(
                    plan: $0.plan, tokens: [$0.nextToken], cachedTokenCount: $0.tokenCount,
                    pages: $0.pages, firstLogitsRow: 0)
            })
        for index in sequences.indices {
            sequences[index].nextToken = greedy(logits, row: index)
            sequences[index].tokenCount += 1
        }
    }

    /// Tokens that differ from place to place and from sequence to sequence.
    private func tokens(_ places: Range<Int>, seed: Int) -> [Int32] {
        places.map { Int32(($0 * 7919 + seed * 104_729 + 1) % base.configuration.vocabularyCount) }
    }

    private func greedy(_ logits: StepLogits, row: Int) -> Int32 {
        let row = logits.row(row)
        return Int32(Vectors.indexOfMaximum(UnsafePointer(row.baseAddress!), count: row.count))
    }
}
