/// Symbols in a doubly linked list over an array; a symbol that merged into its left neighbour is
/// -1.
struct SymbolList {
    private(set) var symbols: [Int32]
    private var nexts: [Int32]
    private var previouses: [Int32]

    init(_ symbols: [Int32]) {
        self.symbols = symbols
        nexts = (0..<symbols.count).map { $0 + 1 < symbols.count ? Int32($0 + 1) : -1 }
        previouses = (0..<symbols.count).map { Int32($0 - 1) }
    }

    /// The right neighbour of a symbol that is still in the list.
    func next(_ index: Int) -> Int? {
        symbols[index] >= 0 && nexts[index] >= 0 ? Int(nexts[index]) : nil
    }

    /// The left neighbour.
    func previous(_ index: Int) -> Int? { previouses[index] >= 0 ? Int(previouses[index]) : nil }

    /// Puts `token` in the place of `left` and takes `right` out.
    mutating func merge(_ left: Int, with right: Int, into token: Int32) {
        symbols[left] = token
        symbols[right] = -1
        nexts[left] = nexts[right]
        if let after = next(left) { previouses[after] = Int32(left) }
    }

    /// The symbols that are still in the list.
    var remaining: [Int32] { symbols.filter { $0 >= 0 } }
}

/// A binary heap of candidate merges: lowest rank first, and the leftmost of equals.
struct CandidateHeap {
    /// The rank in the high half, the position in the low half: one comparison orders both.
    private var entries: [UInt64] = []

    mutating func insert(rank: UInt32, index: Int) {
        entries.append(UInt64(rank) << 32 | UInt64(index))
        var child = entries.count - 1
        while child > 0 && entries[child] < entries[(child - 1) / 2] {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popFirst() -> (rank: UInt32, index: Int)? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        if !entries.isEmpty {
            entries[0] = last
            siftDown()
        }
        return (UInt32(first >> 32), Int(first & 0xFFFF_FFFF))
    }

    private mutating func siftDown() {
        var parent = 0
        while 2 * parent + 1 < entries.count {
            var child = 2 * parent + 1
            if child + 1 < entries.count && entries[child + 1] < entries[child] { child += 1 }
            guard entries[child] < entries[parent] else { return }
            entries.swapAt(parent, child)
            parent = child
        }
    }
}
