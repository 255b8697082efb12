import LlamaSlots
import Testing
import Transformer

/// What no weights could do is refused before anything is computed.
struct MergeRefusalTests {
    private func refusal(_ change: (inout AdapterOperators) -> Void) -> String? {
        var operators = AdapterOperators()
        change(&operators)
        let error = #expect(throws: MergeError.self) { try operators.checkIsWeightSpace("a") }
        return error?.description
    }

    @Test func softPromptsAreRefused() {
        let reason = refusal { $0.embedding = [.softPrompt([1, 2])] }
        #expect(
            reason
                == "adapter 'a' is no change of weights and can't be merged: it puts a prompt of trained "
                + "tokens in front of every sequence; serve it attached")
    }

    @Test func changesOfWeightsAreNot() throws {
        var operators = AdapterOperators()
        operators.linear[.layer(0, .down)] = [
            .input(DiagonalMap([1, 2])), .update(DiagonalMap([1, 2])), .bias([3, 4]),
        ]
        #expect(operators.isWeightSpace)
        try operators.checkIsWeightSpace("a")
    }
}
