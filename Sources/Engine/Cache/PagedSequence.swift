/// A sequence's tokens and the pages that hold their keys and values.
///
/// Confined to the engine's thread.
package final class PagedSequence {
    /// Prompt, then output.
    package private(set) var tokens: [Int32]
    /// Held now, in token order.
    package internal(set) var pages: [Int32] = []
    /// Pages from the first on that are in the cache; never written to again.
    package internal(set) var sharedPageCount = 0
    /// What stands before the first page.
    let root: Int32

    init(tokens: [Int32], root: Int32) {
        self.tokens = tokens
        self.root = root
    }

    package func append(_ token: Int32) {
        tokens.append(token)
    }

    /// Tokens of a full page.
    func tokens(ofPage place: Int) -> PrefixCache.PageTokens {
        let start = place * PrefixCache.pageTokenCount
        return PrefixCache.PageTokens(tokens[start..<start + PrefixCache.pageTokenCount])
    }

    /// The name's first half of the next page that is to be shared.
    var predecessor: Int32 { sharedPageCount == 0 ? root : pages[sharedPageCount - 1] }
}
