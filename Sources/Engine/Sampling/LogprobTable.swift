internal import Kernels

/// A copy of a row as the model gave it, for the log-probability of a token that is chosen later.
struct LogprobTable {
    private let logits: [Float]
    private let logSum: Float
    private let top: [TokenLogprob]

    init(_ row: UnsafeMutableBufferPointer<Float>, topCount: Int) {
        let logSum = row.baseAddress.map { Vectors.logSumExp($0, count: row.count) } ?? 0
        logits = Array(row)
        self.logSum = logSum
        top = TopK(count: topCount).select(from: row).map {
            TokenLogprob(token: $0.token, logprob: $0.value - logSum)
        }
    }

    func logprobs(of token: Int32) -> TokenLogprobs {
        TokenLogprobs(
            own: TokenLogprob(token: token, logprob: logits[Int(token)] - logSum), top: top)
    }
}
