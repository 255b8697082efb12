/// Which neighbouring tokens become which token, and in which order of preference.
struct MergeTable: Sendable {
    /// What a pair of tokens becomes.
    struct Merge: Sendable, Equatable {
        /// Lower ranks merge first.
        var rank: UInt32
        /// The merged token.
        var token: Int32
    }

    private static let free = UInt64.max
    /// Open addressing: left token in the high half, right token in the low half.
    private var keys: [UInt64]
    private var merges: [Merge]

    /// A table for `capacity` merges.
    init(capacity: Int) {
        var slotCount = 16
        while slotCount < 2 * capacity { slotCount *= 2 }
        keys = [UInt64](repeating: Self.free, count: slotCount)
        merges = [Merge](repeating: Merge(rank: 0, token: 0), count: slotCount)
    }

    /// Adds a merge, replacing one of the same pair. At most `capacity` pairs may be added.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(for: key)
        keys[slot] = key
        merges[slot] = merge
    }

    /// What `left` and `right` become; nil when they stay apart.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let key = Self.key(left, right)
        let slot = slot(for: key)
        return keys[slot] == key ? merges[slot] : nil
    }

    @inline(__always)
    private func slot(for key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while keys[slot] != key && keys[slot] != Self.free { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
