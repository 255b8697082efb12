import Adapters
import Engine
import Kernels
import StrictJSON
import Transformer

/// Compares what is served with logits that a reference saved, at every position of its prompts.
struct ReferenceCheck {
    let session: LocalSession
    let adapter: String
    let reference: ReferenceLogits
    /// Largest difference of a log-probability that passes; nil for what rounding explains.
    let limit: Float?

    /// Likeliest tokens that the engine reports for each position.
    private static let topCount = 100

    /// Where two log-probabilities of one token differ.
    struct Difference: Equatable {
        var value: Float = 0
        var position = 0
        var token: Int32 = 0
    }

    /// The largest difference of each prompt.
    struct Report {
        let adapter: String
        let differences: [Difference]
        let tokenCounts: [Int]
        let limit: Float

        var largest: Float { differences.map(\.value).max() ?? 0 }
        var passed: Bool { largest <= limit }

        var text: String {
            var lines = zip(differences, tokenCounts).enumerated().map { index, entry in
                "prompt \(index): \(entry.1) tokens, log-probabilities differ by up to "
                    + "\(entry.0.value) (after position \(entry.0.position), token \(entry.0.token))"
            }
            lines.append(
                "\(adapter) against the reference: log-probabilities differ by up to \(largest) "
                    + "(limit \(limit))")
            lines.append(
                passed ? "passed" : "failed: what is served is not what the reference computes")
            return lines.joined(separator: "\n")
        }

        var json: JSONValue {
            .object([
                "adapter": .string(adapter), "largest_difference": .number(Double(largest)),
                "limit": .number(Double(limit)), "passed": .bool(passed),
                "prompts": .array(
                    zip(differences, tokenCounts).map { difference, count in
                        .object([
                            "tokens": .integer(Int64(count)),
                            "largest_difference": .number(Double(difference.value)),
                            "position": .integer(Int64(difference.position)),
                            "token": .integer(Int64(difference.token)),
                        ])
                    }),
            ])
        }
    }

    func run() async throws -> Report {
        var differences: [Difference] = []
        for prompt in reference.prompts {
            differences.append(Self.largest(try await scores(prompt.tokens), prompt))
        }
        await session.engine.drain()
        return Report(
            adapter: adapter, differences: differences,
            tokenCounts: reference.prompts.map(\.tokens.count), limit: limit ?? usualLimit)
    }

    /// f32 arithmetic in another order, or the reference's own distance from it. Blocks of 8 or 4
    /// bits are another base than the reference's.
    private var usualLimit: Float {
        switch session.base.weightType {
        case .f32, .f16, .bf16: max(2e-3, reference.distance ?? 0)
        case .q8_0, .q4_0, .q4_1: 1
        }
    }

    private func scores(_ tokens: [Int32]) async throws -> [TokenLogprobs] {
        let sink = ScoringSink()
        let topCount = min(Self.topCount, reference.vocabularyCount)
        try session.engine.submit(
            GenerationRequest(
                tokens: tokens,
                lease: try session.registry.lease([SelectionEntry(name: adapter, weight: 1)]),
                maximumNewTokenCount: 1, logprobCount: topCount, promptLogprobCount: topCount,
                sink: sink))
        return try await sink.scores()
    }

    private static func largest(
        _ scores: [TokenLogprobs], _ prompt: ReferenceLogits.Prompt
    ) -> Difference {
        precondition(scores.count == prompt.tokens.count)
        let width = prompt.logprobs.count / prompt.tokens.count
        return scores.enumerated().reduce(Difference()) { worst, entry in
            let start = entry.offset * width
            let (value, token) = difference(
                entry.element, Array(prompt.logprobs[start..<start + width]))
            guard value > worst.value else { return worst }
            return Difference(value: value, position: entry.offset, token: token)
        }
    }

    /// Between the tokens that are reported and the same of `expected`; of the others that are
    /// likely in `expected`, how far they must at least be off, being less likely than all that are
    /// reported.
    static func difference(
        _ served: TokenLogprobs, _ expected: [Float]
    ) -> (value: Float, token: Int32) {
        var worst: (value: Float, token: Int32) = (0, 0)
        func consider(_ value: Float, _ token: Int32) {
            if value > worst.value { worst = (value, token) }
        }
        var seen: Set<Int32> = []
        for entry in served.top + [served.own] {
            seen.insert(entry.token)
            consider(abs(entry.logprob - expected[Int(entry.token)]), entry.token)
        }
        guard let least = served.top.last?.logprob else { return worst }
        for (token, logprob) in expected.enumerated() where logprob > least {
            let token = Int32(token)
            if !seen.contains(token) { consider(logprob - least, token) }
        }
        return worst
    }
}
