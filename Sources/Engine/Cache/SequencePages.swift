package import Transformer

/// The pages of all sequences: handed out by the pool, found again through the cache.
///
/// The cache has a reference of its own to each of its pages, so that they outlive sequences; it
/// gives them up, least recently used first, when the pool has no other left.
///
/// Confined to the engine's thread.
package final class SequencePages: PageLedger {
    private let pool: KeyValuePagePool
    private let isCaching: Bool
    private var cache: PrefixCache
    private var sequences: [Int: PagedSequence] = [:]

    /// - Parameter isCaching: false keeps no page and finds none.
    package init(pool: KeyValuePagePool, isCaching: Bool) {
        self.pool = pool
        self.isCaching = isCaching
        cache = PrefixCache(pageCount: pool.pageCount)
    }

    package var availablePageCount: Int { pool.freePageCount + cache.idleCount }
    package var heldPageCount: Int { pool.pageCount - availablePageCount }
    /// Pages that can be found again, held or not.
    package var cachedPageCount: Int { cache.count }
    package var evictionCount: Int { cache.evictionCount }
    /// Selections that a sequence or a page in the cache belongs to.
    package var selectionCount: Int { cache.selectionCount }

    /// Takes a sequence in; it holds no page yet.
    ///
    /// - Parameters:
    ///   - key: `PlanLease.key`.
    ///   - earlier: the key of what makes the first tokens, and how many these are; nil where `key`
    ///     makes all.
    package func open(
        _ number: Int, key: String, earlier: (key: String, tokenCount: Int)? = nil,
        layout: PageLayout = PageLayout(), tokens: [Int32]
    ) -> PagedSequence {
        let sequence = PagedSequence(
            tokens: tokens, layout: layout, roots: roots(key, earlier))
        sequences[number] = sequence
        return sequence
    }

    /// Where two selections meet within a page, its name must tell where: the token before which
    /// they do follows from the prompt's later tokens, and differs between equal pages.
    private func roots(
        _ key: String, _ earlier: (key: String, tokenCount: Int)?
    ) -> SequenceRoots {
        guard let (earlierKey, tokenCount) = earlier else {
            return SequenceRoots(root: cache.retainRoot(key), earlier: nil, start: 0)
        }
        return SequenceRoots(
            root: cache.retainRoot("\(key)@\(tokenCount % PrefixCache.pageTokenCount)"),
            earlier: cache.retainRoot(earlierKey), start: tokenCount)
    }

    /// Forgets a sequence, and takes its pages; does nothing when it is not there.
    package func close(_ number: Int) {
        release(number)
        guard let sequence = sequences.removeValue(forKey: number) else { return }
        cache.releaseRoot(sequence.roots.root)
        if let earlier = sequence.roots.earlier { cache.releaseRoot(earlier) }
    }

    package func adoptCached(_ number: Int, tokenLimit: Int) -> Int {
        guard let sequence = reusable(number) else { return 0 }
        while sequence.sharedTokenCount + PrefixCache.pageTokenCount <= tokenLimit,
            isNextCached(of: sequence)
        {
            for _ in 0..<sequence.layout.laneCount {
                guard let page = cache.page(named: sequence.nextName) else { break }
                share(page, with: sequence)
            }
        }
        return sequence.sharedTokenCount
    }

    private func reusable(_ number: Int) -> PagedSequence? {
        guard isCaching, let sequence = sequences[number] else { return nil }
        return sequence.layout.isReusable ? sequence : nil
    }

    /// True when all pages of the sequence's next tokens are in the cache.
    private func isNextCached(of sequence: PagedSequence) -> Bool {
        let first = sequence.sharedPageCount
        var last = first == 0 ? nil : sequence.pages[first - 1]
        for place in first..<first + sequence.layout.laneCount {
            last = cache.page(named: sequence.name(ofPage: place, after: last))
            if last == nil { return false }
        }
        return true
    }

    package func grow(_ number: Int, to pageCount: Int) {
        guard let sequence = sequences[number] else { return }
        while sequence.pages.count < pageCount { sequence.pages.append(allocate()) }
    }

    /// The last page first, so that the cache gives up the end of a text before its beginning.
    package func release(_ number: Int) {
        guard let sequence = sequences[number] else { return }
        while let page = sequence.pages.popLast() { drop(page) }
        sequence.sharedPageCount = 0
    }

    /// Makes a sequence's full pages available to others. Where the cache has an equal page
    /// already, the sequence goes on with that one, and its own is free.
    ///
    /// - Parameter tokenCount: tokens whose keys and values are computed.
    package func publish(_ number: Int, tokenCount: Int) {
        guard let sequence = reusable(number) else { return }
        while sequence.sharedTokenCount + PrefixCache.pageTokenCount <= tokenCount {
            let name = sequence.nextName
            if let page = cache.page(named: name) {
                share(page, with: sequence)
                continue
            }
            let page = sequence.pages[sequence.sharedPageCount]
            cache.insert(page, named: name)
            pool.retain(page)
            sequence.sharedPageCount += 1
        }
    }

    /// Puts a page of the cache next in a sequence, in place of its own where it has one.
    private func share(_ page: Int32, with sequence: PagedSequence) {
        if pool.referenceCount(of: page) == 1 { cache.becomeHeld(page) }
        pool.retain(page)
        let place = sequence.sharedPageCount
        if place < sequence.pages.count {
            drop(sequence.pages[place])
            sequence.pages[place] = page
        } else {
            sequence.pages.append(page)
        }
        sequence.sharedPageCount += 1
    }

    private func allocate() -> Int32 {
        if pool.freePageCount == 0, let page = cache.evict() { pool.release(page) }
        guard let page = pool.allocate() else {
            preconditionFailure("the scheduler hands out more pages than there are")
        }
        return page
    }

    private func drop(_ page: Int32) {
        pool.release(page)
        if cache.contains(page), pool.referenceCount(of: page) == 1 { cache.becomeIdle(page) }
    }
}
