/// Bytes that adapters take in memory, by what they are there for.
///
/// A charge stands as long as something holds it: the name whose content it is, and each lease that
/// is answered from it. So content that a name has left is counted until its last request has
/// ended.
struct MemoryLedger: Sendable {
    enum Purpose: Sendable, CaseIterable {
        /// Operators.
        case adapter
        /// Merged matrices.
        case merge
        /// What is being read or merged, before it is there.
        case work
    }

    private struct Charge: Sendable {
        let purpose: Purpose
        let byteCount: Int
        var holderCount = 1
    }

    private var charges: [UInt64: Charge] = [:]
    private var byteCounts: [Purpose: Int] = [:]
    private(set) var byteCount = 0

    func byteCount(_ purpose: Purpose) -> Int { byteCounts[purpose] ?? 0 }

    func byteCount(of number: UInt64) -> Int { charges[number]?.byteCount ?? 0 }

    /// Whether one alone holds it.
    func isHeldOnce(_ number: UInt64) -> Bool { charges[number]?.holderCount == 1 }

    /// - Parameter number: which no other charge has.
    mutating func open(_ number: UInt64, _ purpose: Purpose, byteCount: Int) {
        charges[number] = Charge(purpose: purpose, byteCount: byteCount)
        byteCounts[purpose, default: 0] += byteCount
        self.byteCount += byteCount
    }

    mutating func hold(_ number: UInt64) { charges[number]?.holderCount += 1 }

    /// Lets go of a charge, which ends with its last holder.
    mutating func close(_ number: UInt64) {
        guard var charge = charges[number] else { return }
        charge.holderCount -= 1
        guard charge.holderCount == 0 else { return charges[number] = charge }
        charges[number] = nil
        byteCounts[charge.purpose, default: 0] -= charge.byteCount
        byteCount -= charge.byteCount
    }
}
