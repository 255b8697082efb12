import Testing
import Transformer

/// What is made of scores that are all the same, as in a first pass.
@Suite struct GateFinishTests {
    private func gates(
        _ score: Float, chosenCount: Int? = nil, normalizesChosen: Bool = false
    ) -> [Float] {
        GateFinish(
            expertCount: 3, temperature: nil, chosenCount: chosenCount,
            normalizesChosen: normalizesChosen
        ).gates(ofEqual: score)
    }

    @Test func equalScoresStayWithoutAChoice() {
        #expect(gates(0.5) == [0.5, 0.5, 0.5])
        #expect(gates(0) == [0, 0, 0])
    }

    /// As `torch.topk` on a CPU does.
    @Test func theFirstOfEqualScoresAreChosen() {
        #expect(gates(0.5, chosenCount: 2) == [0.5, 0.5, 0])
    }

    @Test func aSoftmaxOverTheChosenSharesThemOut() {
        #expect(gates(0.25, chosenCount: 2, normalizesChosen: true) == [0.5, 0.5, 0])
        #expect(gates(0, chosenCount: 2, normalizesChosen: true) == [0, 0, 0])
    }
}
