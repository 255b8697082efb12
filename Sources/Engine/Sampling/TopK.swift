/// Keeps the k likeliest tokens.
struct TopK {
    let count: Int

    /// The k largest of a row, likeliest first.
    ///
    /// **Complexity**: O(n + m log k), where m is how often a token enters the k best so far.
    func select(from row: UnsafeMutableBufferPointer<Float>) -> [Candidate] {
        guard count > 0 else { return [] }
        guard count < row.count else { return Candidate.all(in: row).sorted() }
        // A heap whose root is the worst candidate kept.
        var heap: [Candidate] = []
        heap.reserveCapacity(count)
        Candidate.forEach(in: row, from: -.infinity) { candidate, threshold in
            if heap.count < count {
                heap.append(candidate)
                if heap.count == count {
                    for root in stride(from: count / 2, through: 0, by: -1) {
                        siftDown(&heap, from: root)
                    }
                }
            } else if candidate < heap[0] {
                heap[0] = candidate
                siftDown(&heap, from: 0)
            }
            if heap.count == count { threshold = heap[0].value }
        }
        return heap.sorted()
    }

    private func siftDown(_ heap: inout [Candidate], from start: Int) {
        var parent = start
        while true {
            var worst = parent
            for child in 2 * parent + 1...2 * parent + 2
            where child < heap.count && heap[worst] < heap[child] { worst = child }
            guard worst != parent else { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }
}
