/// Numbers for selection keys, as long as anything uses them.
struct SelectionRoots {
    private struct Use {
        let key: String
        var count: Int
    }

    private var roots: [String: Int32] = [:]
    private var uses: [Int32: Use] = [:]
    private var newest: Int32 = 0
    private var unused: [Int32] = []

    var count: Int { roots.count }

    /// The number of a key, with one more use of it.
    mutating func retain(_ key: String) -> Int32 {
        if let root = roots[key] {
            retain(root)
            return root
        }
        let root = unused.popLast() ?? newest - 1
        newest = min(newest, root)
        roots[key] = root
        uses[root] = Use(key: key, count: 1)
        return root
    }

    mutating func retain(_ root: Int32) {
        uses[root]?.count += 1
    }

    /// Gives a use back; with the last one the number is free for another key.
    mutating func release(_ root: Int32) {
        uses[root]?.count -= 1
        guard let use = uses[root], use.count == 0 else { return }
        uses[root] = nil
        roots[use.key] = nil
        unused.append(root)
    }
}
