/// Which neighbouring tokens become which token, and in which order of preference.
struct MergeTable: Sendable {
    /// What a pair of tokens becomes.
    struct Merge: Sendable, Equatable {
        /// Lower ranks merge first.
        var rank: UInt32
        /// The merged token.
        var token: Int32
    }

    /// Left token in the high half, right token in the low half; in the order in which they came.
    private var keys: [UInt64] = []
    private var merges: [Merge] = []
    /// Open addressing with linear probing: places in `keys`, -1 where free. The size is a power of
    /// two.
    private var slots: [Int32]

    /// A table for `capacity` merges.
    init(capacity: Int) {
        var slotCount = 16
        while slotCount < 2 * capacity { slotCount *= 2 }
        slots = [Int32](repeating: -1, count: slotCount)
        keys.reserveCapacity(capacity)
        merges.reserveCapacity(capacity)
    }

    /// Adds a merge, replacing one of the same pair. At most `capacity` pairs may be added.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(for: key)
        guard slots[slot] < 0 else {
            merges[Int(slots[slot])] = merge
            return
        }
        slots[slot] = Int32(keys.count)
        keys.append(key)
        merges.append(merge)
    }

    /// What `left` and `right` become; nil when they stay apart.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let place = slots[slot(for: Self.key(left, right))]
        return place < 0 ? nil : merges[Int(place)]
    }

    @inline(__always)
    private func slot(for key: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while slots[slot] >= 0 && keys[Int(slots[slot])] != key { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
