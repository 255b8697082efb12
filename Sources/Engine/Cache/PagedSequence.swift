package import Transformer

/// A sequence's tokens and the pages that hold their keys and values.
///
/// Confined to the engine's thread.
package final class PagedSequence {
    /// Prompt, then output.
    package private(set) var tokens: [Int32]
    /// Held now, in token order; with a companion, a page of it stands behind each of the
    /// sequence's.
    package internal(set) var pages: [Int32] = []
    /// Pages from the first on that are in the cache; never written to again.
    package internal(set) var sharedPageCount = 0
    package let layout: PageLayout
    /// What made each page.
    let roots: SequenceRoots

    init(tokens: [Int32], layout: PageLayout, roots: SequenceRoots) {
        self.tokens = tokens
        self.layout = layout
        self.roots = roots
    }

    /// Tokens from the first on whose pages are all in the cache.
    package var sharedTokenCount: Int {
        sharedPageCount / layout.laneCount * PrefixCache.pageTokenCount
    }

    package func append(_ token: Int32) {
        tokens.append(token)
    }

    /// The name of the next page that is to be shared, which is full.
    var nextName: PrefixCache.Name {
        name(
            ofPage: sharedPageCount,
            after: sharedPageCount == 0 ? nil : pages[sharedPageCount - 1])
    }

    /// The name of a full page that stands behind another.
    func name(ofPage place: Int, after predecessor: Int32?) -> PrefixCache.Name {
        let start = place / layout.laneCount * PrefixCache.pageTokenCount
        return PrefixCache.Name(
            predecessor: predecessor, root: roots.root(ofPage: place / layout.laneCount),
            tokens: PrefixCache.PageTokens(tokens[start..<start + PrefixCache.pageTokenCount]))
    }
}

/// What pages a sequence has.
package struct PageLayout: Equatable, Sendable {
    /// Pages of as many tokens: the sequence's own, and one of the plan's companion where it has
    /// one.
    package var laneCount = 1
    /// Whether they are found again.
    package var isReusable = true

    package init() {}

    package init(_ plan: AdapterPlan) {
        laneCount = plan.hasCompanion ? 2 : 1
        isReusable = !plan.readsWholeCalls
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
