import Adapters
import Engine
import Serving
import Testing
import Tokenization

@Suite struct ServingErrorTests {
    @Test func spellsEveryCodeAsTheProtocolDoes() {
        #expect(
            ErrorCode.allCases.map(\.rawValue) == [
                "bad_json", "bad_request", "line_too_long", "duplicate_id", "unknown_op",
                "adapter_not_found", "adapter_invalid", "adapter_in_use", "adapter_incompatible",
                "context_too_long", "not_permitted", "overloaded", "shutting_down", "internal",
            ])
    }

    @Test func givesEngineErrorsTheirCode() {
        let errors: [(EngineError, ErrorCode, String?)] = [
            (.invalidParameter(field: "top_p", value: "2", expected: "1"), .badRequest, "top_p"),
            (.unknownToken(9, field: "tokens", vocabularyCount: 5), .badRequest, "tokens"),
            (.emptyPrompt, .badRequest, "prompt"),
            (.contextTooLong(tokenCount: 9, maximum: 5), .contextTooLong, "prompt"),
            (.overloaded(requestLimit: 1), .overloaded, nil),
            (.shuttingDown, .shuttingDown, nil),
            (.nonFiniteLogits(position: 0), .internal, nil),
        ]
        for (error, code, field) in errors {
            let mapped = ServingError(error, promptField: "prompt")
            #expect(mapped == ServingError(code, error.description, field: field))
        }
    }

    @Test func givesAdapterErrorsTheirCode() {
        let errors: [(AdapterError, ErrorCode, String?)] = [
            (.unknownAdapter("a", loaded: []), .adapterNotFound, "name"),
            (.notFound(path: "p"), .adapterInvalid, "name"),
            (.unmergeable(adapter: "a", module: "m", reason: "r"), .adapterIncompatible, "name"),
            (.invalidName("a", reason: "r"), .badRequest, "name"),
            (.invalidWeight(adapter: "a", weight: 2000), .badRequest, "weight"),
            (.replacedMeanwhile("a"), .adapterInUse, "name"),
            (.memoryExceeded(what: "a", byteCount: 2, limit: 1), .adapterIncompatible, "name"),
            (.memoryInUse(what: "a", byteCount: 2, free: 1), .overloaded, "name"),
            (.unwritable(path: "p", reason: "r"), .internal, "name"),
        ]
        for (error, code, field) in errors {
            let mapped = ServingError(error, field: "name")
            #expect(mapped == ServingError(code, error.description, field: field))
        }
    }

    @Test func blamesTheTextForTokenizationErrors() {
        #expect(ServingError(.missingChatTemplate, field: "messages").code == .badRequest)
        #expect(ServingError(.sentencePiece("x"), field: "prompt").code == .internal)
    }
}
