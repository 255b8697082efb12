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
        Temperature(temperature: parameters.temperature).apply(to: logits, maximum: maximum)
        if parameters.topK == nil, parameters.topP == 1, parameters.minP == 0 {
            return drawFromAll(logits)
        }
        let candidates = candidates(logits)
        let masses = candidates.map(\.mass)
        var rest = random.nextUnit() * masses.reduce(0, +)
        for (candidate, mass) in zip(candidates, masses) {
            rest -= mass
            if rest < 0 { return candidate.token }
        }
        // Rounding can leave a rest behind the last token.
        return candidates.max { $0.logit < $1.logit }?.token ?? 0
    }

    /// A token of the whole row, by its probability.
    private mutating func drawFromAll(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
        guard let start = logits.baseAddress else { return 0 }
        let total = Vectors.exponentials(start, minus: 0, count: logits.count)
        let wanted = random.nextUnit() * Double(total)
        let masses = UnsafePointer(start)
        let token = Vectors.firstIndex(
            whereSumExceeds: wanted, in: masses, count: logits.count)
        // Rounding can leave a rest behind the last token.
        return Int32(token ?? Vectors.indexOfMaximum(masses, count: logits.count))
    }

    /// What top-k, top-p and min-p leave, in an order that follows from the logits.
    private func candidates(_ logits: UnsafeMutableBufferPointer<Float>) -> [Candidate] {
        let nucleus = TopP(probability: parameters.topP)
        let floor = MinP(probability: parameters.minP)
        var candidates: [Candidate]
        if let count = parameters.topK {
            candidates = TopK(count: count).select(from: logits)
            if parameters.topP < 1 { nucleus.cut(&candidates) }
        } else if parameters.topP < 1 {
            candidates = nucleus.select(from: logits)
        } else {
            return floor.select(from: logits)
        }
        floor.cut(&candidates)
        return candidates
    }
}
