import Foundation
import Kernels
import Transformer

/// Scores windows of a text: the mean of −log p(token | the window before it).
///
/// **Source**: perplexity as in Jelinek et al. 1977, exp of the mean negative log-likelihood.
struct WindowScorer {
    /// Sums over scored tokens.
    struct Score {
        var negativeLogLikelihood = 0.0
        var tokenCount = 0

        var perplexity: Double {
            tokenCount == 0 ? .nan : exp(negativeLogLikelihood / Double(tokenCount))
        }

        static func += (total: inout Score, part: Score) {
            total.negativeLogLikelihood += part.negativeLogLikelihood
            total.tokenCount += part.tokenCount
        }
    }

    private let plan: AdapterPlan
    private let earlierPlan: AdapterPlan
    private let pass: ForwardPass
    private let pages: SlicePages
    private let windowCount: Int
    private let beginningToken: Int32?

    /// Rows of a step; each needs room for its logits.
    private static let usualChunkRowCount = 128
    private let chunkRowCount: Int

    /// - Parameters:
    ///   - windowCount: tokens of a window, the beginning token included.
    ///   - beginningToken: put in front of every window, where the tokenizer has one.
    init(
        base: BaseModel, plan: AdapterPlan, pool: WorkerPool, windowCount: Int,
        beginningToken: Int32?
    ) {
        self.plan = plan
        earlierPlan = plan.earlier ?? AdapterPlan.base(base.slots)
        self.windowCount = windowCount
        self.beginningToken = beginningToken
        let rowCount = windowCount + plan.softPromptTokenCount
        chunkRowCount = plan.readsWholeCalls ? rowCount : Self.usualChunkRowCount
        let pagePool = KeyValuePagePool(
            pageCount: SlicePages.count(forTokens: rowCount, under: plan),
            layerCount: plan.layerCount, shape: base.attentionShape)
        pass = ForwardPass(
            base: base, pages: pagePool, pool: pool, maximumRowCount: chunkRowCount,
            maximumLogitsRowCount: chunkRowCount)
        pages = SlicePages(forTokens: rowCount, under: plan, from: pagePool)
    }

    /// Tokens of the text in a window.
    var textTokenCount: Int { windowCount - (beginningToken == nil ? 0 : 1) }

    func score(_ text: ArraySlice<Int32>) -> Score {
        let tokens = plan.softPromptTokens + (beginningToken.map { [$0] } ?? []) + text
        let start = plan.activation?.start(in: tokens)
        var score = Score()
        for first in stride(from: 0, to: tokens.count, by: chunkRowCount) {
            let part = Array(tokens[first..<min(tokens.count, first + chunkRowCount)])
            let logits = pass.step(slices(part, from: first, start: start))
            for row in 0..<part.count
            where first + row + 1 < tokens.count && tokens[first + row + 1] >= 0 {
                let values = logits.row(row)
                let sum = Vectors.logSumExp(values.baseAddress!, count: values.count)
                let next = Int(tokens[first + row + 1])
                // One that the adapter's vocabulary lacks has probability 0.
                score.negativeLogLikelihood +=
                    next < values.count ? Double(sum) - Double(values[next]) : .infinity
                score.tokenCount += 1
            }
        }
        return score
    }

    /// - Parameter start: the token from which on the plan acts, where it doesn't on all.
    private func slices(_ tokens: [Int32], from first: Int, start: Int?) -> [StepSlice] {
        let slice = StepSlice(
            plan: plan, tokens: tokens, cachedTokenCount: first, pages: pages, firstLogitsRow: 0)
        return plan.activation == nil ? [slice] : slice.split(at: start, base: earlierPlan)
    }
}
