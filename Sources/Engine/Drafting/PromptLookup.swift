/// Where a text's last tokens have stood before: what followed there may follow again.
///
/// The longest match counts, of equally long ones the latest.
///
/// **Source**: prompt lookup decoding (Saxena 2023), the drafting of LLMA (arXiv 2304.04487,
/// section 3) without documents beside the prompt.
package struct PromptLookup: Equatable {
    /// Longer matches are taken to be as good as one of so many tokens.
    package static let longestMatch = 8

    /// Tokens of the match; 0 where the last token is new.
    package let matchCount: Int
    /// The place of the token that followed it.
    private let next: Int

    /// **Complexity**: O(tokens).
    ///
    /// - Parameter first: tokens before this place are not looked at.
    package init(_ tokens: [Int32], from first: Int = 0) {
        var (matchCount, next) = (0, tokens.count)
        tokens.withUnsafeBufferPointer { tokens in
            guard let last = tokens.last else { return }
            var end = tokens.count - 2
            while end >= first, matchCount < Self.longestMatch {
                if tokens[end] == last {
                    let count = Self.matchCount(tokens, first: first, end: end)
                    if count > matchCount { (matchCount, next) = (count, end + 1) }
                }
                end -= 1
            }
        }
        self.matchCount = matchCount
        self.next = next
    }

    /// Tokens up to `end` that are the same as those up to the last one.
    private static func matchCount(
        _ tokens: UnsafeBufferPointer<Int32>, first: Int, end: Int
    ) -> Int {
        var count = 1
        while count < longestMatch, end - count >= first,
            tokens[end - count] == tokens[tokens.count - 1 - count]
        { count += 1 }
        return count
    }

    /// What may follow `tokens`; the copy goes on into itself, as a text that repeats itself does.
    package func fill(_ draft: inout [Int32], after tokens: [Int32], count: Int) {
        draft.removeAll(keepingCapacity: true)
        guard matchCount > 0 else { return }
        for offset in 0..<max(0, count) {
            let place = next + offset
            draft.append(place < tokens.count ? tokens[place] : draft[place - tokens.count])
        }
    }
}
