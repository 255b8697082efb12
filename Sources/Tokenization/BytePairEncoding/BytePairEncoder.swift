/// Byte-pair encoding of one piece of text.
///
/// A piece starts as one token per byte or character. The pair of neighbours with the lowest rank,
/// the leftmost of equals, merges until no pair is in the merge table.
/// **Source:** Sennrich et al. 2016, arXiv 1508.07909; bytes as in the GPT-2 release, bytes in the
/// place of characters as in SentencePiece.
struct BytePairEncoder: Sendable {
    /// What a piece consists of before anything merges.
    enum Symbols: Sendable {
        /// Bytes, spelled in ``ByteAlphabet``; with the token of each, -1 where the vocabulary has
        /// none.
        case bytes([Int32])
        /// Characters; with the tokens of the bytes of those that the vocabulary lacks, if it has
        /// such tokens.
        case characters(fallback: [Int32]?)
    }

    /// The model's tokens by their spelling, without those added to it.
    let tokens: TokenTable
    let merges: MergeTable
    let symbols: Symbols
    /// Whether a piece that is in the vocabulary is that token, whatever the merges say.
    let ignoresMerges: Bool
    /// What stands for a symbol without a token; such a symbol is dropped when this is nil, as
    /// `tokenizers` does.
    let unknownToken: Int32?
    /// Whether neighbouring unknown symbols are one unknown token.
    let fusesUnknown: Bool

    /// Pieces of up to this many bytes are merged by scanning, longer ones with a heap.
    private static let scanLimit = 48

    /// Working memory, reused from piece to piece.
    struct Scratch {
        fileprivate var symbols: [Int32] = []
        fileprivate var ranks: [UInt32] = []
        fileprivate var spelling: [UInt8] = []
    }

    /// Appends the tokens of `piece` to `output`.
    ///
    /// **Complexity:** O(n log n) in the bytes of the piece.
    func encode(
        _ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int], _ scratch: inout Scratch
    ) {
        if ignoresMerges, let token = wholeToken(piece, &scratch) {
            output.append(Int(token))
            return
        }
        loadSymbols(piece, &scratch.symbols)
        if scratch.symbols.count <= Self.scanLimit {
            mergeByScanning(&scratch)
        } else {
            mergeByHeap(&scratch.symbols)
        }
        for symbol in scratch.symbols { output.append(Int(symbol)) }
    }

    private func wholeToken(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch) -> Int32?
    {
        scratch.spelling.removeAll(keepingCapacity: true)
        guard case .bytes = symbols else { return tokens.id(of: piece) }
        for byte in piece { scratch.spelling += ByteAlphabet.spellings[Int(byte)] }
        return scratch.spelling.withUnsafeBufferPointer { tokens.id(of: $0) }
    }

    private func loadSymbols(_ piece: UnsafeBufferPointer<UInt8>, _ loaded: inout [Int32]) {
        loaded.removeAll(keepingCapacity: true)
        switch symbols {
        case .bytes(let byteTokens): loadBytes(piece, byteTokens, &loaded)
        case .characters(let fallback): loadCharacters(piece, fallback, &loaded)
        }
    }

    private func loadBytes(
        _ piece: UnsafeBufferPointer<UInt8>, _ byteTokens: [Int32], _ loaded: inout [Int32]
    ) {
        var lastWasUnknown = false
        for byte in piece {
            let token = byteTokens[Int(byte)]
            if token >= 0 {
                loaded.append(token)
            } else if let unknownToken, !(fusesUnknown && lastWasUnknown) {
                loaded.append(unknownToken)
            }
            lastWasUnknown = token < 0
        }
    }

    /// As `tokenizers` does it, where an unknown token waits for the next known character and lets
    /// bytes pass.
    private func loadCharacters(
        _ piece: UnsafeBufferPointer<UInt8>, _ fallback: [Int32]?, _ loaded: inout [Int32]
    ) {
        var waiting: Int32?
        var start = 0
        while start < piece.count {
            let end = min(
                start + (UTF8Validation.shape(lead: piece[start])?.byteCount ?? 1), piece.count)
            let character = UnsafeBufferPointer(rebasing: piece[start..<end])
            start = end
            if let token = tokens.id(of: character) {
                if let unknown = waiting { loaded.append(unknown) }
                waiting = nil
                loaded.append(token)
            } else if let fallback, character.allSatisfy({ fallback[Int($0)] >= 0 }) {
                for byte in character { loaded.append(fallback[Int(byte)]) }
            } else if let unknownToken {
                if let unknown = waiting, !fusesUnknown { loaded.append(unknown) }
                waiting = unknownToken
            }
        }
        if let unknown = waiting { loaded.append(unknown) }
    }

    /// Merges in place; the ranks of all neighbours are kept beside the symbols.
    private func mergeByScanning(_ scratch: inout Scratch) {
        let none = UInt32.max
        func rank(_ index: Int, _ symbols: [Int32]) -> UInt32 {
            guard index >= 0 && index + 1 < symbols.count else { return none }
            return merges.merge(symbols[index], symbols[index + 1])?.rank ?? none
        }
        scratch.ranks.removeAll(keepingCapacity: true)
        for index in 0..<scratch.symbols.count {
            scratch.ranks.append(rank(index, scratch.symbols))
        }
        while scratch.symbols.count > 1 {
            var best = 0
            for index in 1..<scratch.ranks.count where scratch.ranks[index] < scratch.ranks[best] {
                best = index
            }
            guard scratch.ranks[best] != none,
                let merge = merges.merge(scratch.symbols[best], scratch.symbols[best + 1])
            else { return }
            scratch.symbols[best] = merge.token
            scratch.symbols.remove(at: best + 1)
            scratch.ranks.remove(at: best + 1)
            scratch.ranks[best] = rank(best, scratch.symbols)
            if best > 0 { scratch.ranks[best - 1] = rank(best - 1, scratch.symbols) }
        }
    }

    /// Merges a linked list of symbols in the order of a heap of candidate pairs.
    private func mergeByHeap(_ symbols: inout [Int32]) {
        var list = SymbolList(symbols)
        var candidates = CandidateHeap()
        for index in 0..<symbols.count { propose(index, list, &candidates) }
        while let candidate = candidates.popFirst() {
            // Stale when either symbol has merged otherwise since.
            guard let right = list.next(candidate.index),
                let merge = merges.merge(list.symbols[candidate.index], list.symbols[right]),
                merge.rank == candidate.rank
            else { continue }
            list.merge(candidate.index, with: right, into: merge.token)
            propose(candidate.index, list, &candidates)
            if let left = list.previous(candidate.index) { propose(left, list, &candidates) }
        }
        symbols = list.remaining
    }

    private func propose(_ index: Int, _ list: SymbolList, _ candidates: inout CandidateHeap) {
        guard let right = list.next(index),
            let merge = merges.merge(list.symbols[index], list.symbols[right])
        else { return }
        candidates.insert(rank: merge.rank, index: index)
    }
}
