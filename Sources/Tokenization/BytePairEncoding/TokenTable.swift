import Checkpoints

/// Token ids by spelling: a hash table over bytes.
///
/// Swift's `String` compares by canonical equivalence, under which different tokens of a vocabulary
/// can be equal.
struct TokenTable: Sendable {
    private var spellings = ByteStrings()
    private var ids: [Int32] = []
    /// Open addressing with linear probing: entry numbers, -1 where free. The size is a power of
    /// two.
    private var slots: [Int32]

    /// A table for `capacity` entries, which may grow.
    init(capacity: Int) {
        var slotCount = 16
        while slotCount < 2 * capacity { slotCount *= 2 }
        slots = [Int32](repeating: -1, count: slotCount)
        ids.reserveCapacity(capacity)
        spellings.reserveCapacity(capacity)
    }

    /// How many spellings there are.
    var count: Int { ids.count }

    /// Adds a spelling; returns the id that it already has, if any, and then changes nothing.
    mutating func insert(_ spelling: UnsafeBufferPointer<UInt8>, id: Int32) -> Int32? {
        if 2 * (ids.count + 1) > slots.count { grow() }
        let slot = slot(for: spelling)
        if slots[slot] >= 0 { return ids[Int(slots[slot])] }
        slots[slot] = Int32(ids.count)
        spellings.append(spelling)
        ids.append(id)
        return nil
    }

    /// Adds a spelling; see ``insert(_:id:)-(UnsafeBufferPointer<UInt8>,_)``.
    mutating func insert(_ spelling: String, id: Int32) -> Int32? {
        var spelling = spelling
        return spelling.withUTF8 { insert($0, id: id) }
    }

    /// Gives back room that nothing was put in.
    mutating func shrink() { spellings.shrink() }

    /// The id of a spelling.
    func id(of spelling: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = slots[slot(for: spelling)]
        return entry < 0 ? nil : ids[Int(entry)]
    }

    /// The id of a spelling.
    func id(of spelling: String) -> Int32? {
        var spelling = spelling
        return spelling.withUTF8 { id(of: $0) }
    }

    /// The slot that holds `spelling`, or the free one where it belongs.
    private func slot(for spelling: UnsafeBufferPointer<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(spelling)) & mask
        while slots[slot] >= 0 && !isEntry(Int(slots[slot]), spelled: spelling) {
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func isEntry(_ entry: Int, spelled spelling: UnsafeBufferPointer<UInt8>) -> Bool {
        spellings.withBytes(at: entry) { $0.elementsEqual(spelling) }
    }

    private mutating func grow() {
        let old = slots
        slots = [Int32](repeating: -1, count: 2 * old.count)
        for entry in old where entry >= 0 {
            let free = spellings.withBytes(at: Int(entry)) { slot(for: $0) }
            slots[free] = entry
        }
    }

    /// FNV-1a with a final mix, because its low bits alone are weak.
    private static func hash(_ spelling: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in spelling { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return ((hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15) >> 20
    }
}
