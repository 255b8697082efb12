internal import Engine
internal import StrictJSON

extension GenerateRequest {
    /// Types are checked here, ranges by the engine.
    static func sampling(_ fields: FieldReader) throws(ServingError) -> SamplingParameters {
        let temperature = try fields.number("temperature") ?? 1
        let topK = try fields.integer("top_k", in: -1...(1 << 31))
        let topP = try fields.number("top_p") ?? 1
        let minP = try fields.number("min_p") ?? 0
        let seed = try seed(fields["seed"])
        let repetition = try fields.number("repetition_penalty") ?? 1
        let presence = try fields.number("presence_penalty") ?? 0
        let frequency = try fields.number("frequency_penalty") ?? 0
        let bias = try logitBias(fields["logit_bias"])
        do {
            return try SamplingParameters(
                temperature: temperature, topK: topK, topP: topP, minP: minP, seed: seed,
                repetitionPenalty: repetition, presencePenalty: presence,
                frequencyPenalty: frequency, logitBias: bias)
        } catch {
            throw ServingError(error)
        }
    }

    private static func seed(_ value: JSONValue?) throws(ServingError) -> UInt64? {
        guard let value else { return nil }
        if case .unsigned(let number) = value { return number }
        guard let number = FieldReader.integral(value), number >= 0 else {
            throw FieldReader.mismatch(
                "seed", value, expected: "an integer from 0 to \(UInt64.max)")
        }
        return UInt64(number)
    }

    private static func logitBias(_ value: JSONValue?) throws(ServingError) -> [Int: Float] {
        guard let value else { return [:] }
        let expected = "an object of token ids (as strings) and numbers"
        guard let object = value.objectValue else {
            throw FieldReader.mismatch("logit_bias", value, expected: expected)
        }
        var bias: [Int: Float] = [:]
        for (key, value) in object {
            guard let token = Int(key), token >= 0, String(token) == key else {
                throw FieldReader.mismatch(
                    "logit_bias", .string(key), expected: expected, isPart: true)
            }
            bias[token] = try FieldReader.number(value, field: "logit_bias")
        }
        return bias
    }
}
