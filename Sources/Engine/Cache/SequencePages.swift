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
    /// - Parameter key: `PlanLease.key`.
    package func open(_ number: Int, key: String, tokens: [Int32]) -> PagedSequence {
        let sequence = PagedSequence(tokens: tokens, root: cache.retainRoot(key))
        sequences[number] = sequence
        return sequence
    }

    /// Forgets a sequence, and takes its pages; does nothing when it is not there.
    package func close(_ number: Int) {
        release(number)
        guard let sequence = sequences.removeValue(forKey: number) else { return }
        cache.releaseRoot(sequence.root)
    }

    package func adoptCached(_ number: Int, tokenLimit: Int) -> Int {
        guard isCaching, let sequence = sequences[number] else { return 0 }
        while (sequence.sharedPageCount + 1) * PrefixCache.pageTokenCount <= tokenLimit,
            let page = nextCachedPage(of: sequence)
        {
            share(page, with: sequence)
        }
        return sequence.sharedPageCount * PrefixCache.pageTokenCount
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

    /// Makes a sequence's full pages available to others. Where the cache has an equal page already, the
    /// sequence goes on with that one, and its own is free.
    ///
    /// - Parameter tokenCount: tokens whose keys and values are computed.
    package func publish(_ number: Int, tokenCount: Int) {
        guard isCaching, let sequence = sequences[number] else { return }
        while (sequence.sharedPageCount + 1) * PrefixCache.pageTokenCount <= tokenCount {
            if let page = nextCachedPage(of: sequence) {
                share(page, with: sequence)
                continue
            }
            let place = sequence.sharedPageCount
            cache.insert(
                sequence.pages[place], after: sequence.predecessor,
                tokens: sequence.tokens(ofPage: place))
            pool.retain(sequence.pages[place])
            sequence.sharedPageCount += 1
        }
    }

    private func nextCachedPage(of sequence: PagedSequence) -> Int32? {
        cache.page(
            after: sequence.predecessor, tokens: sequence.tokens(ofPage: sequence.sharedPageCount))
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
