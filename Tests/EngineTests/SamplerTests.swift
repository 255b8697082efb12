import Engine
import Testing

@Suite struct SamplerTests {
    private func next(_ sampler: inout Sampler, _ logits: [Float]) -> Int32? {
        var row = logits
        return row.withUnsafeMutableBufferPointer { sampler.next($0) }
    }

    /// Tokens that 400 draws give, each with a fresh history.
    private func support(_ logits: [Float], _ make: (UInt64) throws -> SamplingParameters) throws
        -> Set<Int32>
    {
        var tokens: Set<Int32> = []
        for seed in 0..<400 {
            var sampler = Sampler(try make(UInt64(seed)), prompt: [])
            if let token = next(&sampler, logits) { tokens.insert(token) }
        }
        return tokens
    }

    @Test func greedyTakesTheLowestOfEqualTokens() {
        var sampler = Sampler(.greedy, prompt: [])
        #expect(next(&sampler, [1, 5, 5, 2]) == 1)
    }

    @Test func biasAndPenaltiesActOnGreedyChoices() throws {
        var biased = Sampler(
            try SamplingParameters(temperature: 0, logitBias: [0: 10]), prompt: [])
        #expect(next(&biased, [1, 5, 2]) == 0)
        var repeated = Sampler(
            try SamplingParameters(temperature: 0, repetitionPenalty: 2), prompt: [1])
        // 5 / 2 < 3; then token 2 halves as well: 2.5 against 1.5
        #expect(next(&repeated, [1, 5, 3]) == 2)
        #expect(next(&repeated, [1, 5, 3]) == 1)
        var negative = Sampler(
            try SamplingParameters(temperature: 0, repetitionPenalty: 2), prompt: [0])
        // −1 · 2 < −1.5
        #expect(next(&negative, [-1, -1.5, -3]) == 1)
        var present = Sampler(
            try SamplingParameters(temperature: 0, presencePenalty: 1), prompt: [0])
        // The prompt doesn't count; each token of the output costs 1 once.
        #expect((0..<4).map { _ in next(&present, [3, 2.5, 0]) } == [0, 1, 0, 0])
        var frequent = Sampler(
            try SamplingParameters(temperature: 0, frequencyPenalty: 1), prompt: [])
        #expect((0..<5).map { _ in next(&frequent, [3, 2.5, 0]) } == [0, 1, 0, 1, 0])
    }

    @Test func noMassKeepsTheLikeliestTokenAlone() throws {
        for topK in [nil, 2, 100] {
            #expect(
                try support([1, 3, 3, 2]) {
                    try .init(temperature: 1, topK: topK, topP: 0, seed: $0)
                } == [1])
        }
        var greedy = Sampler(try SamplingParameters(temperature: 0, topP: 0), prompt: [])
        #expect(next(&greedy, [1, 3, 3, 2]) == 1)
    }

    /// Such as tokens of a prompt that another vocabulary has rows for.
    @Test func tokensWithoutALogitChangeNothing() throws {
        for parameters in [
            try SamplingParameters(temperature: 0, repetitionPenalty: 2),
            try SamplingParameters(temperature: 0, logitBias: [4: 5, -1: 5, .max: 5]),
        ] {
            var sampler = Sampler(parameters, prompt: [4, 5, .max, -1])
            var room: [Float] = [1, 3, 2, 0, 7, 7]
            room.withUnsafeMutableBufferPointer {
                #expect(sampler.next(UnsafeMutableBufferPointer(rebasing: $0[..<4])) == 1)
            }
            #expect(room == [1, 3, 2, 0, 7, 7])
        }
        var sampler = Sampler(
            try SamplingParameters(temperature: 0, presencePenalty: 1, frequencyPenalty: 1),
            prompt: [])
        // Two tokens of a longer row, then a shorter one.
        #expect(next(&sampler, [0, 0, 0, 0, 9]) == 4)
        #expect(next(&sampler, [2, 1]) == 0)
    }

    @Test func rowsWithoutAFiniteMaximumGiveNoToken() throws {
        for temperature: Float in [0, 1] {
            let parameters = try SamplingParameters(temperature: temperature, seed: 1)
            for row in [[Float.infinity, 1], [-.infinity, -.infinity], [.infinity, .infinity]] {
                var sampler = Sampler(parameters, prompt: [])
                #expect(next(&sampler, row) == nil)
            }
            var sampler = Sampler(parameters, prompt: [])
            #expect(next(&sampler, [-.infinity, 1, -.infinity]) == 1)
        }
    }

    @Test func filtersKeepExactlyTheTokensTheyShould() throws {
        // Probabilities 0.4, 0.3, 0.2, 0.1
        let logits: [Float] = [0.4, 0.3, 0.2, 0.1].map { Float($0).logarithm }
        #expect(try support(logits) { try .init(temperature: 1, seed: $0) } == [0, 1, 2, 3])
        #expect(try support(logits) { try .init(temperature: 1, topK: 2, seed: $0) } == [0, 1])
        #expect(try support(logits) { try .init(temperature: 1, topP: 0.6, seed: $0) } == [0, 1])
        #expect(
            try support(logits) { try .init(temperature: 1, topP: 0.75, seed: $0) } == [0, 1, 2])
        #expect(
            try support(logits) { try .init(temperature: 1, minP: 0.45, seed: $0) } == [0, 1, 2])
        // Of the two that top-k leaves, 0.4/0.7 reaches 0.55 alone.
        #expect(
            try support(logits) { try .init(temperature: 1, topK: 2, topP: 0.55, seed: $0) } == [0])
        #expect(try support(logits) { try .init(temperature: 1e-30, seed: $0) } == [0])
    }

    @Test(arguments: [0.3, 0.5, 0.9])
    func aNucleusIsTheFewestTokensThatReachTheMass(probability: Double) throws {
        // Falling and equal probabilities, in an order of ids that is not theirs.
        let falling = (0..<64).map { Double(64 - $0 * 37 % 64) / 64 }
        for weights in [falling, [Double](repeating: 1, count: 64)] {
            let logits = weights.map { Float($0).logarithm }
            var wanted = probability * weights.reduce(0, +)
            var nucleus: Set<Int32> = []
            for token in (0..<64).sorted(by: { (-weights[$0], $0) < (-weights[$1], $1) })
            where wanted > 1e-3 {
                nucleus.insert(Int32(token))
                wanted -= weights[token]
            }
            var drawn: Set<Int32> = []
            for seed: UInt64 in 0..<4000 {
                var sampler = Sampler(
                    try .init(temperature: 1, topP: Float(probability), seed: seed), prompt: [])
                if let token = next(&sampler, logits) { drawn.insert(token) }
            }
            #expect(drawn == nucleus)
        }
    }

    @Test func equalSeedsGiveEqualDraws() throws {
        let parameters = try SamplingParameters(temperature: 1, seed: 42)
        var first = Sampler(parameters, prompt: [])
        var second = Sampler(parameters, prompt: [])
        let logits = (0..<50).map { Float($0 % 7) }
        for _ in 0..<20 { #expect(next(&first, logits) == next(&second, logits)) }
    }

    @Test func rowsThatAreNotFiniteAreFound() {
        for bad: Float in [.nan, .infinity, -.infinity] {
            for place in [0, 15, 16, 36] {
                var row = [Float](repeating: 1, count: 37)
                #expect(row.withUnsafeMutableBufferPointer { LogitRow($0).isFinite })
                row[place] = bad
                #expect(!row.withUnsafeMutableBufferPointer { LogitRow($0).isFinite })
            }
        }
    }
}

extension Float {
    /// The natural logarithm by Newton's method, so that no library's choice of one matters.
    fileprivate var logarithm: Float {
        var power = 0.0
        for _ in 0..<60 {
            var term = 1.0
            var exponential = 1.0
            for degree in 1..<30 {
                term *= power / Double(degree)
                exponential += term
            }
            power += Double(self) / exponential - 1
        }
        return Float(power)
    }
}
