/// The pages of one sequence, with those of its plan's companion where it has one, for whoever runs
/// steps without an engine.
public struct SlicePages: Sendable {
    let own: [Int32]
    let companion: [Int32]

    /// Pages that so many tokens under the plan need.
    public static func count(forTokens tokenCount: Int, under plan: AdapterPlan) -> Int {
        KeyValuePagePool.pageCount(forTokens: tokenCount) * (plan.hasCompanion ? 2 : 1)
    }

    /// Takes as many pages from the pool as `count(forTokens:under:)` says; it must have them.
    public init(forTokens tokenCount: Int, under plan: AdapterPlan, from pool: KeyValuePagePool) {
        let pages = (0..<Self.count(forTokens: tokenCount, under: plan)).map { _ in
            guard let page = pool.allocate() else { preconditionFailure("too few pages") }
            return page
        }
        let ownCount = KeyValuePagePool.pageCount(forTokens: tokenCount)
        own = Array(pages[..<ownCount])
        companion = Array(pages[ownCount...])
    }
}

extension StepSlice {
    public init(
        plan: AdapterPlan, tokens: [Int32], cachedTokenCount: Int, pages: SlicePages,
        firstLogitsRow: Int
    ) {
        self.init(
            plan: plan, tokens: tokens, cachedTokenCount: cachedTokenCount, pages: pages.own,
            companionPages: pages.companion, firstLogitsRow: firstLogitsRow)
    }
}
