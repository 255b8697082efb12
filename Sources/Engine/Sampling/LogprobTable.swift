internal import Kernels

/// A copy of a row as the model gave it, for the log-probability of a token that is chosen later.
struct LogprobTable {
    private let logits: [Float]
    private let logSum: Float
    private let top: [TokenLogprob]

    init(_ row: UnsafeMutableBufferPointer<Float>, topCount: Int) {
        logSum = TokenLogprobs.logSum(row)
        logits = Array(row)
        top = TokenLogprobs.top(row, count: topCount, logSum: logSum)
    }

    func logprobs(of token: Int32) -> TokenLogprobs {
        TokenLogprobs(
            own: TokenLogprob(token: token, in: logits, logSum: logSum), top: top)
    }
}

extension TokenLogprobs {
    /// Of a token that is known already.
    init(of token: Int32, in row: UnsafeMutableBufferPointer<Float>, topCount: Int) {
        let logSum = Self.logSum(row)
        self.init(
            own: TokenLogprob(token: token, in: row, logSum: logSum),
            top: Self.top(row, count: topCount, logSum: logSum))
    }

    fileprivate static func logSum(_ row: UnsafeMutableBufferPointer<Float>) -> Float {
        row.baseAddress.map { Vectors.logSumExp($0, count: row.count) } ?? 0
    }

    fileprivate static func top(
        _ row: UnsafeMutableBufferPointer<Float>, count: Int, logSum: Float
    ) -> [TokenLogprob] {
        TopK(count: count).select(from: row).map {
            TokenLogprob(token: $0.token, logprob: $0.value - logSum)
        }
    }
}

extension TokenLogprob {
    /// A token that the row has no logit for has probability 0.
    fileprivate init<Row: RandomAccessCollection>(token: Int32, in row: Row, logSum: Float)
    where Row.Element == Float, Row.Index == Int {
        let hasLogit = (row.startIndex..<row.endIndex).contains(Int(token))
        self.init(token: token, logprob: hasLogit ? row[Int(token)] - logSum : -.infinity)
    }
}
