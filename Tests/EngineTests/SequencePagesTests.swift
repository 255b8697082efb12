import Engine
import Kernels
import Testing
import Transformer

@Suite struct SequencePagesTests {
    private let shape = AttentionShape(
        queryHeadCount: 1, keyValueHeadCount: 1, headDimension: 16, scale: 1)

    private func pages(_ count: Int, isCaching: Bool = true) -> SequencePages {
        SequencePages(
            pool: KeyValuePagePool(pageCount: count, layerCount: 1, shape: shape),
            isCaching: isCaching)
    }

    /// Computes a sequence from what the cache has on; returns the tokens that were found.
    @discardableResult
    private func compute(
        _ number: Int, key: String = "", earlier: (key: String, tokenCount: Int)? = nil,
        _ tokens: [Int32], in pages: SequencePages
    ) -> Int {
        _ = pages.open(number, key: key, earlier: earlier, tokens: tokens)
        let found = pages.adoptCached(number, tokenLimit: tokens.count - 1)
        pages.grow(number, to: (tokens.count + 15) / 16)
        pages.publish(number, tokenCount: tokens.count)
        return found
    }

    private let text = (0..<40).map { Int32($0) }

    @Test func fullPagesAreFoundWhileHeldAndAfterwards() {
        let pages = pages(8)
        #expect(compute(0, text, in: pages) == 0)
        #expect(compute(1, text, in: pages) == 32)
        #expect(pages.heldPageCount == 4)
        pages.close(0)
        pages.close(1)
        #expect(pages.heldPageCount == 0 && pages.cachedPageCount == 2)
        #expect(compute(2, Array(text[..<33]), in: pages) == 32)
        // The last token is computed, so its page is found by nobody who ends with it.
        #expect(compute(3, Array(text[..<32]), in: pages) == 16)
        #expect(compute(4, Array(text[..<20]) + [9], in: pages) == 16)
    }

    @Test func keysAndEveryEarlierTokenMakeAPage() {
        let pages = pages(16)
        compute(0, key: "a", text, in: pages)
        #expect(compute(1, key: "b", text, in: pages) == 0)
        var other = text
        other[0] = 39
        // The second page has the same tokens behind another first one.
        #expect(compute(2, key: "a", other, in: pages) == 0)
        #expect(pages.cachedPageCount == 6)
    }

    @Test func equalPagesComputedSideBySideBecomeOne() {
        let pages = pages(8)
        for number in 0..<2 {
            _ = pages.open(number, key: "", tokens: text)
            pages.grow(number, to: 3)
        }
        #expect(pages.heldPageCount == 6)
        pages.publish(0, tokenCount: 40)
        pages.publish(1, tokenCount: 40)
        #expect(pages.heldPageCount == 4 && pages.cachedPageCount == 2)
    }

    @Test func theEndOfTheLeastRecentlyUsedTextIsEvictedFirst() {
        let pages = pages(5)
        compute(0, key: "old", text, in: pages)
        pages.close(0)
        compute(1, key: "new", text, in: pages)
        pages.close(1)
        #expect(pages.cachedPageCount == 4 && pages.selectionCount == 2)
        _ = pages.open(2, key: "x", tokens: text)
        pages.grow(2, to: 2)
        #expect(pages.evictionCount == 1)
        #expect(compute(3, key: "old", Array(text[..<18]), in: pages) == 16)
        pages.close(3)
        pages.grow(2, to: 5)
        #expect(pages.evictionCount == 4 && pages.cachedPageCount == 0)
        pages.close(2)
        #expect(pages.selectionCount == 0 && pages.availablePageCount == 5)
    }

    /// Single pages of three texts, used again in another order: they go in that of their last use.
    @Test func evictionsGoByLastUseNotByAge() {
        let texts = (0..<3).map { text in (0..<17).map { Int32($0 + text) } }
        for evictionCount in 0...3 {
            let pages = pages(5)
            for (number, text) in texts.enumerated() {
                compute(number, text, in: pages)
                pages.close(number)
            }
            for (number, place) in [(3, 0), (4, 2), (5, 0)] {
                #expect(compute(number, texts[place], in: pages) == 16)
                pages.close(number)
            }
            _ = pages.open(6, key: "", tokens: [])
            pages.grow(6, to: 2 + evictionCount)
            pages.close(6)
            #expect(pages.evictionCount == evictionCount)
            var found: [Bool] = []
            for place in [1, 2, 0] {
                _ = pages.open(7, key: "", tokens: texts[place])
                found.append(pages.adoptCached(7, tokenLimit: 16) == 16)
                pages.close(7)
            }
            #expect(found == (0..<3).map { $0 >= evictionCount }, "\(evictionCount) evicted")
        }
    }

    @Test func pagesBeforeAnotherSelectionBeginsAreTheEarlierOnes() {
        let pages = pages(16)
        compute(0, key: "", text, in: pages)
        // From token 20 on: the second page is the adapter's own.
        #expect(compute(1, key: "a", earlier: ("", 20), text, in: pages) == 16)
        #expect(compute(2, key: "a", earlier: ("", 20), text, in: pages) == 32)
        // From token 24 on that page is another one, though its tokens are the same.
        #expect(compute(3, key: "a", earlier: ("", 24), text, in: pages) == 16)
        #expect(compute(4, key: "b", earlier: ("", 20), text, in: pages) == 16)
        #expect(compute(5, key: "a", earlier: ("", 32), text, in: pages) == 32)
        #expect(compute(6, key: "a", earlier: ("", .max), text, in: pages) == 32)
        #expect(compute(7, key: "a", text, in: pages) == 0)
        for number in 0..<8 { pages.close(number) }
        #expect(pages.availablePageCount == 16 && pages.selectionCount > 1)
        _ = pages.open(8, key: "x", tokens: text)
        pages.grow(8, to: 16)
        pages.close(8)
        #expect(pages.selectionCount == 0)
    }

    @Test func withoutCachingNothingIsKept() {
        let pages = pages(8, isCaching: false)
        compute(0, text, in: pages)
        #expect(compute(1, text, in: pages) == 0)
        #expect(pages.cachedPageCount == 0 && pages.heldPageCount == 6)
    }

    /// What a page holds according to who wrote it last: selection and all tokens up to its end.
    private struct Content: Equatable {
        var key: String
        var tokens: ArraySlice<Int32>
    }

    /// Random sequences that grow, give way and end: a sequence's shared pages always hold what its
    /// tokens say, no page is written to while two sequences hold it, and none is lost.
    @Test(arguments: 0..<30) func randomOperationsKeepEveryPageRight(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let pages = pages(12)
        var contents: [Int32: Content] = [:]
        var live: [Int: (key: String, sequence: PagedSequence, computed: Int)] = [:]
        for step in 0..<600 {
            let number = live.keys.sorted().randomElement(with: &random)
            switch random.next() % 4 {
            case 0 where live.count < 6:
                let key = ["a", "b"][Int(random.next() % 2)]
                let tokens = (0..<1 + random.next() % 50).map { _ in Int32(random.next() % 20 / 19)
                }
                live[step] = (key, pages.open(step, key: key, tokens: tokens), 0)
            case 1:
                guard let number else { continue }
                pages.close(number)
                live[number] = nil
            case 2:
                guard let number else { continue }
                pages.release(number)
                live[number]?.computed = 0
            default:
                guard let number, var entry = live[number] else { continue }
                let sequence = entry.sequence
                if entry.computed == sequence.tokens.count {
                    sequence.append(Int32(random.next() % 20 / 19))
                }
                let count = sequence.tokens.count
                entry.computed = max(
                    entry.computed, pages.adoptCached(number, tokenLimit: count - 1))
                let needed = (count + 15) / 16 - sequence.pages.count
                live[number] = entry
                guard needed <= pages.availablePageCount else { continue }
                pages.grow(number, to: (count + 15) / 16)
                for place in entry.computed / 16..<(count + 15) / 16 {
                    let page = sequence.pages[place]
                    #expect(live.values.count { $0.sequence.pages.contains(page) } == 1)
                    contents[page] = Content(
                        key: entry.key, tokens: sequence.tokens[..<min(count, place * 16 + 16)])
                }
                pages.publish(number, tokenCount: count)
                live[number]?.computed = count
            }
            for (key, sequence, _) in live.values {
                for place in 0..<sequence.sharedPageCount {
                    #expect(
                        contents[sequence.pages[place]]
                            == Content(key: key, tokens: sequence.tokens[..<(place * 16 + 16)]))
                }
            }
            let held = Set(live.values.flatMap(\.sequence.pages))
            #expect(pages.heldPageCount == held.count)
        }
        for number in live.keys { pages.close(number) }
        #expect(pages.availablePageCount == 12)
    }
}

extension Array {
    fileprivate func randomElement(with random: inout RandomSource) -> Element? {
        isEmpty ? nil : self[Int(random.next() % UInt64(count))]
    }
}
