import Kernels
import Testing
import Transformer

/// One sequence on a base, without an engine: whole prompts and greedy tokens.
struct SequenceRunner {
    let base: BaseModel
    let plan: AdapterPlan
    let pool: WorkerPool
    var chunk = 1024

    private static let contextCount = 192

    private func pass() -> (ForwardPass, SlicePages) {
        let pages = KeyValuePagePool(
            pageCount: SlicePages.count(forTokens: Self.contextCount, under: plan),
            layerCount: plan.layerCount, shape: base.attentionShape)
        let pass = ForwardPass(
            base: base, pages: pages, pool: pool, maximumRowCount: Self.contextCount,
            maximumLogitsRowCount: Self.contextCount)
        return (pass, SlicePages(forTokens: Self.contextCount, under: plan, from: pages))
    }

    /// Rows under the plan, those before the token from which on it acts under the base's.
    private func slices(
        _ part: [Int32], of prompt: [Int32], from first: Int, _ pages: SlicePages,
        firstLogitsRow: Int
    ) -> [StepSlice] {
        let slice = StepSlice(
            plan: plan, tokens: part, cachedTokenCount: first, pages: pages,
            firstLogitsRow: firstLogitsRow)
        guard let activation = plan.activation else { return [slice] }
        return slice.split(
            at: activation.start(in: prompt), base: plan.earlier ?? AdapterPlan.base(base.slots))
    }

    /// Logits of every prompt token, flat; those of a soft prompt's tokens are left out.
    func logits(_ prompt: [Int32]) -> [Float] {
        let (pass, pages) = pass()
        let tokens = plan.softPromptTokens + prompt
        var result: [Float] = []
        for first in stride(from: 0, to: tokens.count, by: chunk) {
            let part = Array(tokens[first..<min(tokens.count, first + chunk)])
            let logits = pass.step(slices(part, of: tokens, from: first, pages, firstLogitsRow: 0))
            for row in 0..<logits.rowCount { result += logits.row(row) }
        }
        return Array(
            result[(plan.softPromptTokenCount * plan.vocabularyCount)...])
    }

    /// Logits of the prompt's last tokens alone, flat: of the others only keys and values are
    /// needed.
    func lastLogits(_ count: Int, of prompt: [Int32]) -> [Float] {
        let (pass, pages) = pass()
        let tokens = plan.softPromptTokens + prompt
        let slices = slices(
            tokens, of: tokens, from: 0, pages, firstLogitsRow: tokens.count - count)
        let logits = pass.step(slices)
        return (0..<logits.rowCount).flatMap { Array(logits.row($0)) }
    }

    /// Log-probabilities of every prompt token, flat.
    func logprobs(_ tokens: [Int32]) -> [Float] {
        Self.logprobs(logits(tokens), vocabularyCount: plan.vocabularyCount)
    }

    static func logprobs(_ logits: [Float], vocabularyCount: Int) -> [Float] {
        stride(from: 0, to: logits.count, by: vocabularyCount).flatMap { start in
            let row = Array(logits[start..<start + vocabularyCount])
            let sum = Vectors.logSumExp(row, count: row.count)
            return row.map { $0 - sum }
        }
    }

    /// The largest difference of a log-probability to a reference's.
    ///
    /// - Parameter reference: logits of every prompt token, flat.
    func difference(after prompt: [Int32], to reference: [Float]) throws -> Float {
        let found = logprobs(prompt)
        let expected = Self.logprobs(reference, vocabularyCount: plan.vocabularyCount)
        try #require(found.count == expected.count)
        return zip(found, expected).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    func greedy(after prompt: [Int32], count: Int) -> [Int32] {
        let (pass, pages) = pass()
        var tokens = plan.softPromptTokens + prompt
        var cached = 0
        var new: [Int32] = []
        while new.count < count {
            let part = Array(tokens[cached...])
            let logits = pass.step(
                slices(part, of: prompt, from: cached, pages, firstLogitsRow: part.count - 1))
            cached = tokens.count
            let row = logits.row(0)
            let next = Vectors.indexOfMaximum(UnsafePointer(row.baseAddress!), count: row.count)
            new.append(Int32(next))
            tokens.append(Int32(next))
        }
        return new
    }
}
