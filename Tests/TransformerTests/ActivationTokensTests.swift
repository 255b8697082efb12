import Testing
import Transformer

@Suite struct ActivationTokensTests {
    private let base: BaseModel

    init() throws { base = try TinyBase().open() }

    @Test(
        arguments: [
            ([5, 6], [1, 5, 6, 2], 1), ([5, 6], [5, 6], 0), ([5, 6], [5, 6, 1, 5, 6], 3),
            ([5, 6], [1, 5], nil), ([5, 6], [5], nil), ([5, 6], [6, 5, 1, 5], nil),
            ([9, 9], [1, 9, 9, 9], 2), ([7], [7, 1, 7, 2], 2), ([7], [], nil),
        ] as [([Int32], [Int32], Int?)])
    func theLastWholeOccurrenceCounts(tokens: [Int32], prompt: [Int32], start: Int?) {
        #expect(ActivationTokens(tokens).start(in: prompt) == start)
    }

    private func slice(_ plan: AdapterPlan, firstLogitsRow: Int = 0) -> StepSlice {
        StepSlice(
            plan: plan, tokens: [10, 11, 12, 13], cachedTokenCount: 20, pages: [0, 1],
            firstLogitsRow: firstLogitsRow)
    }

    @Test func aSliceIsSplitWhereItsPlanBeginsToAct() {
        let (first, second) = (AdapterPlan.base(base.slots), AdapterPlan.base(base.slots))
        let parts = slice(second, firstLogitsRow: 2).split(at: 21, base: first)
        #expect(parts.map(\.tokens) == [[10], [11, 12, 13]])
        #expect(parts.map(\.cachedTokenCount) == [20, 21])
        #expect(parts.map(\.firstLogitsRow) == [1, 1])
        #expect(parts[0].plan === first && parts[1].plan === second)
        #expect(parts.allSatisfy { $0.pages == [0, 1] })
    }

    @Test func aSliceOnOneSideStaysWhole() {
        let (first, second) = (AdapterPlan.base(base.slots), AdapterPlan.base(base.slots))
        for start in [0, 20] {
            let parts = slice(second).split(at: start, base: first)
            #expect(parts.count == 1 && parts[0].plan === second)
        }
        for start in [24, 90, nil] {
            let parts = slice(second).split(at: start, base: first)
            #expect(parts.count == 1 && parts[0].plan === first)
            #expect(parts[0].tokens.count == 4)
        }
    }

    @Test func itStandsAlone() throws {
        var activated = AdapterOperators()
        activated.activation = ActivationTokens([5])
        let part = SelectedOperators(name: "a", operators: activated, weight: 0.5)
        let other = SelectedOperators(name: "b", operators: AdapterOperators(), weight: 1)
        let reason =
            "adapter 'a' acts from its invocation tokens on and was trained on the base's keys and "
            + "values before them, which 'b' would change: use it alone"
        for parts in [[part, other], [other, part]] {
            do throws(CombinationError) {
                _ = try AdapterPlan(parts, slots: base.slots)
                Issue.record("combined")
            } catch { #expect(error.description == reason) }
        }
        #expect(try AdapterPlan([part], slots: base.slots).activation?.tokens == [5])
    }

    @Test func itCantBeMerged() throws {
        var operators = AdapterOperators()
        operators.activation = ActivationTokens([5])
        #expect(!operators.isWeightSpace)
        do throws(MergeError) {
            _ = try operators.merged(name: "a", into: base, weight: 1, pool: TinyBase.pool)
            Issue.record("merged")
        } catch {
            #expect(
                error.description
                    == "adapter 'a' is no change of weights and can't be merged: it acts from its "
                    + "invocation tokens on only, while merged weights would act on every token; serve "
                    + "it attached")
        }
    }
}
