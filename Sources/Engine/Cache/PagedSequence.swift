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
    /// What made each page.
    let roots: SequenceRoots

    init(tokens: [Int32], roots: SequenceRoots) {
        self.tokens = tokens
        self.roots = roots
    }

    package func append(_ token: Int32) {
        tokens.append(token)
    }

    /// The name of the next page that is to be shared, which is full.
    var nextName: PrefixCache.Name {
        let start = sharedPageCount * PrefixCache.pageTokenCount
        return PrefixCache.Name(
            predecessor: sharedPageCount == 0 ? nil : pages[sharedPageCount - 1],
            root: roots.root(ofPage: sharedPageCount),
            tokens: PrefixCache.PageTokens(tokens[start..<start + PrefixCache.pageTokenCount]))
    }
}

/// Which selections made the pages of a sequence: one all of them, or another one from the page on
/// that holds its first token.
struct SequenceRoots {
    let root: Int32
    /// Of the pages before; nil where there are none.
    let earlier: Int32?
    /// The first token that `earlier` didn't make.
    let start: Int

    func root(ofPage place: Int) -> Int32 {
        guard let earlier, start / PrefixCache.pageTokenCount > place else { return root }
        return earlier
    }
}
