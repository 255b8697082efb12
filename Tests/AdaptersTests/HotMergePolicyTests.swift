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
}
