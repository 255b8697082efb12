import RegularExpressions
import Testing

struct CompiledExpressionTests {
    private func matches(
        _ pattern: String, in text: [UInt8], steps: Int,
        limits: ExpressionLimits = .texts
    ) throws -> [Range<Int>] {
        let expression = try CompiledExpression(
            pattern, extent: .anywhere, limits: limits, counting: .items)
        var steps = steps
        return try text.withUnsafeBufferPointer {
            try expression.matches(
                in: $0, with: ExpressionMatcher(expression), stepsLeft: &steps)
        }
    }

    /// Each match alone would be within any limit of one match.
    @Test(arguments: [#"a*a*a*b|[\s\S]"#, #"[\s\S]*+b|[\s\S]"#, #"(a|aa)+b|[\s\S]"#])
    func aTextsStepsAreCountedTogether(pattern: String) {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 23)
        let clock = ContinuousClock()
        let start = clock.now
        #expect(throws: ExpressionError.limit) {
            try matches(pattern, in: text, steps: 1 << 28)
        }
        #expect(clock.now - start < .seconds(20))
    }

    @Test func whatIsLeftOfTheStepsIsSaid() throws {
        let expression = try CompiledExpression(
            "a+b", extent: .start, limits: .names, counting: .items)
        let matcher = ExpressionMatcher(expression)
        let text = [UInt8]("aaaab".utf8)
        func cost() throws -> Int {
            var steps = 1000
            #expect(
                try text.withUnsafeBufferPointer {
                    try matcher.match($0, from: 0, stepsLeft: &steps)
                })
            return 1000 - steps
        }
        let needed = try cost()
        #expect(needed > 20)
        #expect(try cost() == needed)
        var exact = needed
        #expect(
            try text.withUnsafeBufferPointer {
                try matcher.match($0, from: 0, stepsLeft: &exact)
            })
        #expect(exact == 0)
        var fewer = needed - 1
        #expect(throws: ExpressionError.limit) {
            try text.withUnsafeBufferPointer {
                try matcher.match($0, from: 0, stepsLeft: &fewer)
            }
        }
    }

    /// A run that needs more than the machine's stack, and then more than is allowed.
    @Test func memoryIsBounded() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
        #expect(try matches("(?:a|b)+", in: text, steps: .max).count == 1)
        #expect(throws: ExpressionError.limit) {
            try matches("(?:(a)|b)+[^a]", in: text, steps: .max, limits: .names)
        }
    }

    @Test func emptyTextsAndEmptyMatchesAreFound() throws {
        #expect(try matches("a*", in: [], steps: 100) == [0..<0])
        #expect(try matches("x*", in: [UInt8]("é".utf8), steps: 100) == [0..<0, 2..<2])
    }

    @Test func adaptersShareTheirSteps() throws {
        let budget = StepBudget(100)
        try budget.withSteps { (steps) throws(ExpressionError) in steps -= 60 }
        try budget.withSteps { (steps) throws(ExpressionError) in
            #expect(steps == 40)
        }
    }
}
