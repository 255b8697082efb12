/// Which values of a tensor are its largest by magnitude: the choice of `torch.topk` on a CPU.
///
/// Where magnitudes are equal, as they often are in 16-bit adapters, the choice among them is that
/// of the selection algorithm: these are the same steps as in the C++ library that torch is built
/// with.
///
/// **Source**: ATen's `topk_impl_loop`, torch 2.13; libstdc++'s `std::nth_element` and
/// `std::partial_sort`.
struct TopMagnitudes {
    private struct Entry {
        let magnitude: Float
        let index: Int32
    }

    private var entries: [Entry]

    /// True at the places of the `count` largest magnitudes.
    static func mask(_ values: [Float], count: Int) -> [Bool] {
        var mask = [Bool](repeating: false, count: values.count)
        guard count > 0 else { return mask }
        var selection = TopMagnitudes(values)
        // torch sorts a heap where few are wanted, and partitions otherwise.
        if count * 64 <= values.count {
            selection.heapSelect(0, count, values.count)
        } else {
            selection.partition(around: count - 1)
        }
        for entry in selection.entries[..<count] { mask[Int(entry.index)] = true }
        return mask
    }

    private init(_ values: [Float]) {
        entries = values.enumerated().map { Entry(magnitude: abs($1), index: Int32($0)) }
    }

    private func precedes(_ first: Entry, _ second: Entry) -> Bool {
        first.magnitude > second.magnitude
    }

    private func precedes(_ first: Int, _ second: Int) -> Bool {
        precedes(entries[first], entries[second])
    }

    /// Puts the entry that belongs at `place` there, larger ones before it.
    private mutating func partition(around place: Int) {
        var first = 0
        var last = entries.count
        var depth = 2 * (Int.bitWidth - 1 - entries.count.leadingZeroBitCount)
        while last - first > 3 {
            guard depth > 0 else {
                heapSelect(first, place + 1, last)
                entries.swapAt(first, place)
                return
            }
            depth -= 1
            let cut = cut(first, last)
            if cut <= place { first = cut } else { last = cut }
        }
        insertionSort(first, last)
    }

    /// Partitions by the median of three entries, which goes to `first`.
    private mutating func cut(_ first: Int, _ last: Int) -> Int {
        moveMedian(to: first, first + 1, first + (last - first) / 2, last - 1)
        var low = first + 1
        var high = last
        while true {
            while precedes(low, first) { low += 1 }
            high -= 1
            while precedes(first, high) { high -= 1 }
            guard low < high else { return low }
            entries.swapAt(low, high)
            low += 1
        }
    }

    private mutating func moveMedian(to place: Int, _ a: Int, _ b: Int, _ c: Int) {
        let median: Int
        if precedes(a, b) {
            median = precedes(b, c) ? b : precedes(a, c) ? c : a
        } else {
            median = precedes(a, c) ? a : precedes(b, c) ? c : b
        }
        entries.swapAt(place, median)
    }

    private mutating func insertionSort(_ first: Int, _ last: Int) {
        guard first < last else { return }
        for index in (first + 1)..<max(last, first + 1) {
            let entry = entries[index]
            var hole = index
            while hole > first, precedes(entry, entries[hole - 1]) {
                entries[hole] = entries[hole - 1]
                hole -= 1
            }
            entries[hole] = entry
        }
    }
}

// A heap whose root is the smallest of the entries that are kept.
extension TopMagnitudes {
    private mutating func heapSelect(_ first: Int, _ middle: Int, _ last: Int) {
        let count = middle - first
        if count > 1 {
            for parent in stride(from: (count - 2) / 2, through: 0, by: -1) {
                sift(first, hole: parent, count: count, entries[first + parent])
            }
        }
        for index in middle..<last where precedes(index, first) {
            let entry = entries[index]
            entries[index] = entries[first]
            sift(first, hole: 0, count: count, entry)
        }
    }

    /// Moves the hole down to a leaf, then `entry` up from there.
    private mutating func sift(_ first: Int, hole top: Int, count: Int, _ entry: Entry) {
        var hole = top
        var child = top
        while child < (count - 1) / 2 {
            child = 2 * (child + 1)
            if precedes(first + child, first + child - 1) { child -= 1 }
            entries[first + hole] = entries[first + child]
            hole = child
        }
        if count % 2 == 0, child == (count - 2) / 2 {
            child = 2 * (child + 1)
            entries[first + hole] = entries[first + child - 1]
            hole = child - 1
        }
        while hole > top {
            let parent = (hole - 1) / 2
            guard precedes(entries[first + parent], entry) else { break }
            entries[first + hole] = entries[first + parent]
            hole = parent
        }
        entries[first + hole] = entry
    }
}
