import Kernels
import Testing

extension InstructionSetSuites {
    /// Windows, caps, slopes, sinks and shared tokens; pages that no row sees are always gone.
    struct AttentionRuleTests {
        private static let slopes: [Float] = [0.5, 0.25, 0.125, 0.7, 0.01, 0.3]
        private static let sinks: [Float] = [1, -2, 0.5, 3, 0, -40]

        /// For six query heads.
        private static let rules = [
            SampleRule(window: 1), SampleRule(window: 7), SampleRule(window: 16),
            SampleRule(window: 30), SampleRule(softCap: 0.8), SampleRule(slopes: slopes),
            SampleRule(sinks: sinks), SampleRule(sharedCount: 25),
            SampleRule(window: 9, sharedCount: 70),
            SampleRule(window: 20, softCap: 1.5, slopes: slopes, sinks: sinks, sharedCount: 12),
        ]

        private static func sample(
            prefixCount: Int, type: KeyValueType, spoiling: [Int: Float] = [:]
        ) -> AttentionSample {
            AttentionSample(
                queryHeads: 6, keyValueHeads: 2, dimension: 24, prefixCount: prefixCount,
                tokenCount: 70, type: type, seed: 31, spoiling: spoiling)
        }

        private static func onEverySet(_ body: (InstructionSet) -> Void) {
            defer { InstructionSet.use(.strongest) }
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                body(set)
            }
        }

        @Test(arguments: [0, 5, 37], KeyValueType.allCases)
        func attentionFollowsItsRule(prefixCount: Int, type: KeyValueType) {
            let sample = Self.sample(prefixCount: prefixCount, type: type)
            let width = 6 * 24
            let rows = Array(stride(from: 0, to: 70, by: 3))
            for rule in Self.rules {
                let expected = sample.expected(rule, rows: rows)
                Self.onEverySet { set in
                    let tolerance = type == .bf16 && set == .avx512bf16 ? 2e-2 : 2e-5
                    let all = sample.run(0..<70, chunk: 70, threads: 2, rule: rule)
                    let output = rows.flatMap { all[$0 * width..<($0 + 1) * width] }
                    let furthest = zip(output, expected).map { abs(Double($0) - $1) }.max() ?? 0
                    #expect(
                        furthest < tolerance && output.allSatisfy(\.isFinite), "\(set) \(rule)")
                }
            }
        }

        @Test(arguments: [0, 37], KeyValueType.allCases)
        func aRowHasTheSameBitsInAnyTile(prefixCount: Int, type: KeyValueType) {
            let sample = Self.sample(prefixCount: prefixCount, type: type)
            for rule in Self.rules {
                Self.onEverySet { set in
                    let whole = sample.run(0..<70, chunk: 70, threads: 1, rule: rule)
                    for chunk in [1, 7, 16, 33] {
                        let cut = sample.run(0..<70, chunk: chunk, threads: 2, rule: rule)
                        #expect(
                            cut.map(\.bitPattern) == whole.map(\.bitPattern),
                            "\(set) \(rule), slices of \(chunk)")
                    }
                }
            }
        }

        /// A window as wide as the context, shared tokens that are seen anyway, a sink without
        /// weight.
        @Test(arguments: KeyValueType.allCases)
        func aRuleWithoutEffectChangesNoBit(type: KeyValueType) {
            let sample = Self.sample(prefixCount: 5, type: type)
            let idle = [
                SampleRule(window: 75), SampleRule(window: .max), SampleRule(sharedCount: 1),
                SampleRule(slopes: [Float](repeating: 0, count: 6)),
                SampleRule(sinks: [Float](repeating: -.infinity, count: 6)),
            ]
            Self.onEverySet { set in
                let plain = sample.run(0..<70, chunk: 70, threads: 1)
                for rule in idle {
                    #expect(
                        sample.run(0..<70, chunk: 70, threads: 1, rule: rule) == plain,
                        "\(set) \(rule)")
                }
            }
        }

        @Test(arguments: KeyValueType.allCases)
        func aValueThatIsNotFiniteLeavesTheWindow(type: KeyValueType) {
            let (token, window, width) = (21, 8, 6 * 24)
            let spoilt = Self.sample(
                prefixCount: 0, type: type,
                spoiling: [token * 48: .infinity, token * 48 + 24: .nan])
            let plain = Self.sample(prefixCount: 0, type: type)
            for cap in [Float(0), 5] {
                let rule = SampleRule(window: window, softCap: cap)
                Self.onEverySet { set in
                    let output = spoilt.run(0..<70, chunk: 70, threads: 2, rule: rule)
                    let whole = plain.run(0..<70, chunk: 70, threads: 2, rule: rule)
                    let wrong = output.indices.first { index in
                        (token..<token + window).contains(index / width)
                            ? output[index].isFinite : output[index] != whole[index]
                    }
                    #expect(wrong == nil, "\(set)")
                }
            }
        }

        @Test func aSinkThatTakesEverythingLeavesZeros() {
            let sample = Self.sample(prefixCount: 0, type: .f32)
            let rule = SampleRule(sinks: [Float](repeating: 1e4, count: 6))
            Self.onEverySet { set in
                let output = sample.run(0..<70, chunk: 70, threads: 1, rule: rule)
                #expect(output.allSatisfy { $0 == 0 }, "\(set)")
            }
        }

        /// Indices of 3000 times the slope would leave scores four digits behind the point.
        @Test func slopesKeepTheirDigitsInALongContext() {
            let sample = AttentionSample(
                queryHeads: 2, keyValueHeads: 1, dimension: 8, prefixCount: 20, tokenCount: 3000,
                seed: 33)
            let rule = SampleRule(slopes: [0.7, 0.03], sinks: [2090, 80])
            let expected = sample.expected(rule, rows: [2999])
            Self.onEverySet { set in
                let output = sample.run(2999..<3000, chunk: 1, threads: 1, rule: rule).suffix(16)
                for (value, expected) in zip(output, expected) {
                    #expect(abs(Double(value) - expected) < 5e-6, "\(set)")
                }
            }
        }
    }
}
