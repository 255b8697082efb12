/// Which tokens a sequence has, for penalties.
package struct TokenHistory: Sendable {
    /// Every token of prompt and output, once.
    private(set) var distinct: Set<Int32>
    /// How often each token of the output occurs.
    private(set) var outputCounts: [Int32: Int] = [:]

    package init(prompt: [Int32]) {
        distinct = Set(prompt)
    }

    package mutating func append(_ token: Int32) {
        distinct.insert(token)
        outputCounts[token, default: 0] += 1
    }
}
