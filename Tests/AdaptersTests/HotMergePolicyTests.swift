import Adapters
import Testing

@Suite struct HotMergePolicyTests {
    private let law = SelectionEntry(name: "law")
    private var policy = HotMergePolicy(
        .init(share: 0.6, releaseShare: 0.4, windowCount: 20, minimumCount: 10))

    /// The decisions other than `nothing` after `count` requests.
    private mutating func record(
        _ selection: [SelectionEntry], _ count: Int
    ) -> [HotMergePolicy.Decision] {
        (0..<count).map { _ in policy.record(selection) }.filter { $0 != .nothing }
    }

    @Test mutating func nothingIsDecidedBeforeEnoughRequests() {
        #expect(record([law], 9).isEmpty)
        #expect(record([law], 1) == [.merge(law)])
    }

    @Test mutating func oneDecisionIsCarriedOutAtATime() {
        #expect(record([law], 20) == [.merge(law)])
        policy.didCarryOut(.merge(law), succeeded: true)
        #expect(record([law], 20).isEmpty)
    }

    @Test mutating func sharesBetweenTheBoundsChangeNothing() {
        #expect(record([law], 20) == [.merge(law)])
        policy.didCarryOut(.merge(law), succeeded: true)
        // 20 of 20 go down to 8 of 20, which is the bound itself.
        #expect(record([], 12).isEmpty)
        #expect(record([], 1) == [.unmerge(law)])
        policy.didCarryOut(.unmerge(law), succeeded: true)
        // From 7 of 20 up to 12: the oldest 7 are the adapter's own, so that the 12th decides.
        #expect(record([law], 11).isEmpty)
        #expect(record([law], 1) == [.merge(law)])
    }

    @Test mutating func mixesBaseAndWeightZeroNeverMerge() {
        #expect(record([], 20).isEmpty)
        #expect(record([law, SelectionEntry(name: "medicine")], 20).isEmpty)
        #expect(record([SelectionEntry(name: "law", weight: 0)], 20).isEmpty)
    }

    @Test mutating func weightsOfOneAdapterAreTrafficOfTheirOwn() {
        let half = SelectionEntry(name: "law", weight: 0.5)
        for _ in 0..<10 {
            #expect(policy.record([law]) == .nothing)
            #expect(policy.record([half]) == .nothing)
        }
    }

    @Test mutating func whatCantBeMergedIsTriedAgainOnlyAfterItWasCold() {
        #expect(record([law], 20) == [.merge(law)])
        policy.didCarryOut(.merge(law), succeeded: false)
        #expect(record([law], 20).isEmpty)
        #expect(record([], 20).isEmpty)
        #expect(record([law], 12) == [.merge(law)])
    }

    @Test mutating func whatItsNameForgotIsMergedAnew() {
        #expect(record([law], 20) == [.merge(law)])
        policy.didCarryOut(.merge(law), succeeded: true)
        policy.forget(name: "medicine")
        #expect(record([law], 5).isEmpty)
        policy.forget(name: "law")
        #expect(record([law], 1) == [.merge(law)])
        policy.didCarryOut(.merge(law), succeeded: false)
        #expect(record([law], 5).isEmpty)
        policy.forget(name: "law")
        #expect(record([law], 1) == [.merge(law)])
    }

    // MARK: Weighing costs

    /// Low-rank factors: a twentieth of the matrices that they change.
    private let lowRank = MergeBalance(
        attachedByteCount: 10, layerByteCount: 200, mergedByteCount: 200)

    private func weighing(_ balance: MergeBalance?, companyOfEach: Int) -> HotMergePolicy.Decision {
        var policy = HotMergePolicy(.init(share: 0.6, minimumCount: 100, weighsCosts: true))
        var decision = HotMergePolicy.Decision.nothing
        for number in 0..<100 {
            decision = policy.record([law], hasCompany: number % 100 < companyOfEach) { _ in balance
            }
        }
        return decision
    }

    @Test func lowRankFactorsAreMergedWhereTheyAreAlmostAlone() {
        #expect(weighing(lowRank, companyOfEach: 0) == .merge(law))
        #expect(weighing(lowRank, companyOfEach: 4) == .merge(law))
        // 0.94 · 10 saved, 0.06 · 190 lost.
        #expect(weighing(lowRank, companyOfEach: 6) == .nothing)
        #expect(weighing(nil, companyOfEach: 0) == .nothing)
    }

    @Test func whatReadsMoreThanMatricesIsMergedInAnyCompany() {
        let whole = MergeBalance(attachedByteCount: 220, layerByteCount: 200, mergedByteCount: 200)
        #expect(weighing(whole, companyOfEach: 100) == .merge(law))
    }

    @Test func matricesLargerThanBlocksAndFactorsAreNeverMerged() {
        let quantized = MergeBalance(
            attachedByteCount: 10, layerByteCount: 50, mergedByteCount: 400)
        #expect(weighing(quantized, companyOfEach: 0) == .nothing)
    }

    @Test func companyEndsAMergeThatPaidBefore() {
        var policy = HotMergePolicy(
            .init(share: 0.6, windowCount: 20, minimumCount: 10, weighsCosts: true))
        var decisions: [HotMergePolicy.Decision] = []
        for number in 0..<60 {
            let decision = policy.record([law], hasCompany: number >= 20) { _ in lowRank }
            guard decision != .nothing else { continue }
            policy.didCarryOut(decision, succeeded: true)
            decisions.append(decision)
        }
        #expect(decisions == [.merge(law), .unmerge(law)])
    }
}
