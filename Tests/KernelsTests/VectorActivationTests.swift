import Foundation
import Kernels
import Testing

extension InstructionSetSuites {
    struct VectorActivationTests {
        /// The definition.
        private static func exact(_ activation: Activation, _ x: Double) -> Double {
            switch activation {
            case .silu: x / (1 + exp(-x))
            case .gelu: x * 0.5 * erfc(-x / 2.0.squareRoot())
            case .geluTanh:
                0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            case .relu: max(x, 0)
            case .reluSquared: max(x, 0) * max(x, 0)
            case .quickGELU: x / (1 + exp(-1.702 * x))
            }
        }

        /// Dense about 0, thin up to where only a limit is left.
        private static var values: [Float] {
            var random = SeededGenerator(seed: 41)
            let scales: [Float] = [1e-3, 1, 6, 15, 100, 1e4, 1e10]
            return scales.flatMap { scale in random.floats(500).map { $0 * scale } } + [0, -0.0]
        }

        @Test(arguments: Activation.allCases)
        func anActivationFollowsItsFormula(activation: Activation) {
            let values = Self.values
            onEverySet { set in
                var output = values
                Vectors.activate(activation, &output, times: nil, count: output.count)
                for (x, y) in zip(values, output) {
                    let expected = Self.exact(activation, Double(x))
                    #expect(
                        abs(Double(y) - expected) <= 2e-7 * max(1, abs(expected)),
                        "\(set), \(x): \(y), expected \(expected)")
                }
                return output
            }
        }

        /// Where a probability is small, it is not the rest of a difference.
        @Test func geluHasDigitsBelowZero() {
            let values = (1..<500).map { Float($0) * -0.01 }
            onEverySet { _ in
                var output = values
                Vectors.activate(.gelu, &output, times: nil, count: output.count)
                for (x, y) in zip(values, output) {
                    let expected = Self.exact(.gelu, Double(x))
                    #expect(abs(Double(y) - expected) <= 1e-6 * abs(expected), "\(x)")
                }
                return output
            }
        }

        @Test(arguments: Activation.allCases)
        func factorsMultiplyTheActivationAtEveryLength(activation: Activation) {
            var random = SeededGenerator(seed: 42)
            for count in 0...50 {
                let values = random.floats(count).map { $0 * 8 }
                let factors = random.floats(count)
                onEverySet { set in
                    var alone = values
                    var output = values
                    Vectors.activate(activation, &alone, times: nil, count: count)
                    Vectors.activate(activation, &output, times: factors, count: count)
                    #expect(output == zip(alone, factors).map { $0 * $1 }, "\(set), \(count)")
                    return output
                }
            }
        }

        @Test func siluWithFactorsHasTheBitsOfSiluMultiply() {
            let gate = Self.values
            let up = Self.values.map { $0 * 0.3 + 1 }
            onEverySet { _ in
                var output = gate
                var expected = gate
                Vectors.activate(.silu, &output, times: up, count: gate.count)
                Vectors.siluMultiply(gate: &expected, up: up, count: gate.count)
                #expect(output.map(\.bitPattern) == expected.map(\.bitPattern))
                return output
            }
        }

        @Test(arguments: [Activation.relu, .reluSquared, .gelu, .silu, .geluTanh, .quickGELU])
        func whatIsNoNumberStaysSo(activation: Activation) {
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                var output: [Float] = [1, .nan, .infinity]
                Vectors.activate(activation, &output, times: nil, count: 3)
                #expect(output[1].isNaN && output[2] == .infinity, "\(set)")
            }
        }

        @Test(arguments: [Float(1), 30, 50, 0.01])
        func aSoftCapFollowsItsFormula(cap: Float) {
            let values = Self.values
            onEverySet { set in
                var output = values
                Vectors.softCap(&output, at: cap, count: output.count)
                for (x, y) in zip(values, output) {
                    let expected = Double(cap) * tanh(Double(x) / Double(cap))
                    #expect(
                        abs(Double(y) - expected) <= 5e-7 * abs(expected),
                        "\(set), \(x): \(y), expected \(expected)")
                }
                return output
            }
        }

        @Test func aSoftCapOfInfinitiesIsTheCap() {
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                defer { InstructionSet.use(.strongest) }
                var output: [Float] = [.infinity, -.infinity, 3e38, -3e38, .nan]
                Vectors.softCap(&output, at: 50, count: 5)
                #expect(Array(output[..<4]) == [50, -50, 50, -50], "\(set)")
                #expect(output[4].isNaN, "\(set)")
            }
        }
    }
}
