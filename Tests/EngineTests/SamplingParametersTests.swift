import Engine
import Testing

@Suite struct SamplingParametersTests {
    private func message(_ make: () throws -> SamplingParameters) -> String? {
        do {
            _ = try make()
            return nil
        } catch { return "\(error)" }
    }

    @Test func valuesOutOfRangeAreRefusedByName() {
        #expect(
            message { try .init(temperature: -1) } == "'temperature' is -1.0, expected 0…100")
        #expect(
            message { try .init(temperature: .nan) } == "'temperature' is nan, expected 0…100")
        #expect(
            message { try .init(temperature: 1, topP: -0.1) }
                == "'top_p' is -0.1, expected 0…1")
        #expect(message { try .init(temperature: 1, minP: 2) } == "'min_p' is 2.0, expected 0…1")
        #expect(
            message { try .init(temperature: 1, topK: -2) }
                == "'top_k' is -2, expected 1 or more, or 0 for all tokens")
        #expect(
            message { try .init(temperature: 1, repetitionPenalty: 0) }
                == "'repetition_penalty' is 0.0, expected 0.01…100")
        #expect(
            message { try .init(temperature: 1, presencePenalty: 101) }
                == "'presence_penalty' is 101.0, expected -100…100")
        #expect(
            message { try .init(temperature: 1, frequencyPenalty: .infinity) }
                == "'frequency_penalty' is inf, expected -100…100")
        #expect(
            message { try .init(temperature: 1, logitBias: [7: .nan]) }
                == "'logit_bias' is 7: nan, expected -100…100")
    }

    @Test func errorsSayWhatToDo() {
        #expect(
            EngineError.contextTooLong(tokenCount: 9, maximum: 8).description
                == "the prompt has 9 tokens and the context has room for 8: shorten it")
        #expect(
            EngineError.overloaded(requestLimit: 3).description
                == "3 requests are in flight, which is the limit: try again later")
        #expect(
            EngineError.unknownToken(9, field: "tokens", vocabularyCount: 8).description
                == "'tokens' names token 9; the vocabulary has ids 0…7")
        #expect(
            EngineError.emptyPrompt.description
                == "the prompt has no tokens: give it at least one")
        #expect(
            EngineError.shuttingDown.description
                == "the server is shutting down: it takes no more requests")
        #expect(
            EngineError.nonFiniteLogits(position: 4).description
                == "the model gave a logit that is not a finite number at token 4: check the "
                + "adapter and its weight with 'graft verify'")
    }
}
