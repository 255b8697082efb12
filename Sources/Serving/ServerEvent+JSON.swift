internal import Engine
internal import StrictJSON

extension ServerEvent.Answer {
    func write(to object: inout JSONObject) {
        object["finish_reason"] = .string(summary.reason.rawValue)
        object["text"] = .string(text)
        object["tokens"] = .array(tokens.map { .integer(Int64($0)) })
        object["adapter"] = .array(adapters.map(\.json))
        object["usage"] = .object([
            "prompt_tokens": .integer(Int64(summary.promptTokenCount)),
            "cached_tokens": .integer(Int64(summary.cachedTokenCount)),
            "completion_tokens": .integer(Int64(tokens.count)),
        ])
        object["timings"] = .object([
            "queue_ms": summary.queueDuration.json,
            "prefill_ms": summary.prefillDuration.json,
            "decode_ms": summary.decodeDuration.json,
        ])
    }
}

extension AnsweringAdapter {
    /// `merged` stands only where it is true.
    var json: JSONValue {
        var object: JSONObject = [
            "name": .string(name), "weight": weight.json, "hash": .string(hash),
        ]
        if isMerged { object["merged"] = .bool(true) }
        return .object(object)
    }
}

extension AdapterDescription {
    var json: JSONValue {
        var object: JSONObject = [
            "name": .string(name), "hash": hash.isEmpty ? .null : .string(hash),
            "peft_type": .string(peftType),
            "parameters": .integer(Int64(parameterCount)), "bytes": .integer(Int64(byteCount)),
            "rank": rank.map { .integer(Int64($0)) } ?? .null,
            "state": .string(state),
        ]
        object["weight"] = mergedWeight?.json
        object["in_use"] = .integer(Int64(inUseCount))
        object["requests"] = .integer(Int64(requestCount))
        object["tokens"] = .integer(Int64(tokenCount))
        object["warnings"] = .array(warnings.map { .string($0) })
        return .object(object)
    }

    private var state: String {
        if mergedWeight != nil { return "merged" }
        return isIdle ? "idle" : "attached"
    }
}

extension TokenLogprob {
    var json: JSONValue {
        .object(["token": .integer(Int64(token)), "logprob": logprob.json])
    }
}

extension TokenLogprobs {
    /// The token itself, then the likeliest.
    var promptJSON: JSONValue { .array([own.json] + top.map(\.json)) }
}

extension Float {
    /// The number with the fewest digits that read back as the same `Float`.
    var json: JSONValue {
        if let integer = Int64(exactly: self), abs(integer) < 1 << 24 { return .integer(integer) }
        return Double(description).map { .number($0) } ?? .null
    }
}

extension Duration {
    /// Milliseconds, to the microsecond.
    var json: JSONValue {
        let (seconds, attoseconds) = components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return .number(Double(microseconds) / 1000)
    }
}
