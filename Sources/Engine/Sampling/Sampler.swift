internal import Kernels

/// Chooses the tokens of one sequence; its state follows from the request alone.
package struct Sampler: Sendable {
    private let parameters: SamplingParameters
    private var history: TokenHistory
    private var random: RandomSource

    package init(_ parameters: SamplingParameters, prompt: [Int32]) {
        self.parameters = parameters
        history = TokenHistory(prompt: prompt)
        random = RandomSource(seed: parameters.seed ?? .random(in: 0 ... .max))
    }

    /// Chooses the next token and remembers it.
    ///
    /// - Parameter logits: one row, finite; overwritten.
    /// - Returns: nil when bias and penalties left no finite maximum.
    package mutating func next(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32? {
        applyPenalties(to: logits)
        guard let start = logits.baseAddress else { return nil }
        let likeliest = Vectors.indexOfMaximum(UnsafePointer(start), count: logits.count)
        guard logits[likeliest].isFinite else { return nil }
        let token =
            parameters.temperature == 0
            ? Int32(likeliest) : draw(from: logits, maximum: logits[likeliest])
        history.append(token)
        return token
    }

    private func applyPenalties(to logits: UnsafeMutableBufferPointer<Float>) {
        LogitBias(biases: parameters.logitBias).apply(to: logits)
        RepetitionPenalty(penalty: parameters.repetitionPenalty).apply(to: logits, history: history)
        PresencePenalty(penalty: parameters.presencePenalty).apply(to: logits, history: history)
        FrequencyPenalty(penalty: parameters.frequencyPenalty).apply(to: logits, history: history)
    }

    private mutating func draw(
        from logits: UnsafeMutableBufferPointer<Float>, maximum: Float
    ) -> Int32 {
        guard let start = logits.baseAddress else { return 0 }
        Temperature(temperature: parameters.temperature).apply(to: logits, maximum: maximum)
        // From here on the row holds masses: proportional to probabilities, 1 the largest.
        let total = Double(Vectors.exponentials(start, minus: 0, count: logits.count))
        if parameters.topK == nil, parameters.topP == 1, parameters.minP == 0 {
            let token = Vectors.firstIndex(
                whereSumExceeds: random.nextUnit() * total, in: UnsafePointer(start),
                count: logits.count)
            // Rounding can leave a rest behind the last token.
            return Int32(token ?? Vectors.indexOfMaximum(start, count: logits.count))
        }
        let candidates = candidates(logits, totalMass: total)
        var rest = random.nextUnit() * candidates.reduce(0) { $0 + Double($1.value) }
        for candidate in candidates {
            rest -= Double(candidate.value)
            if rest < 0 { return candidate.token }
        }
        return candidates.min()?.token ?? 0
    }

    /// What top-k, top-p and min-p leave, in an order that follows from the masses.
    private func candidates(
        _ masses: UnsafeMutableBufferPointer<Float>, totalMass: Double
    ) -> [Candidate] {
        let nucleus = TopP(probability: parameters.topP)
        let floor = MinP(probability: parameters.minP)
        var candidates: [Candidate]
        if let count = parameters.topK {
            candidates = TopK(count: count).select(from: masses)
            if parameters.topP < 1 { nucleus.cut(&candidates) }
        } else if parameters.topP < 1 {
            candidates = nucleus.select(from: masses, totalMass: totalMass)
        } else {
            return floor.select(from: masses)
        }
        floor.cut(&candidates)
        return candidates
    }
}
