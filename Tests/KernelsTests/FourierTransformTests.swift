import Foundation
import Kernels
import Testing

extension InstructionSetSuites {
    struct FourierTransformTests {
        /// X[f] by its definition, in doubles.
        private func definition(_ real: [Float], _ imaginary: [Float]) -> [(Double, Double)] {
            let count = real.count
            let angles = (0..<count).map { 2 * Double.pi * Double($0) / Double(count) }
            return (0..<count).map { f in
                var sum = (0.0, 0.0)
                for t in 0..<count {
                    let angle = angles[f * t % count]
                    let (x, y) = (Double(real[t]), Double(imaginary[t]))
                    sum.0 += cos(angle) * x + sin(angle) * y
                    sum.1 += cos(angle) * y - sin(angle) * x
                }
                return sum
            }
        }

        /// Real parts, then imaginary ones, with a guard behind each.
        private func transform(_ real: [Float], _ imaginary: [Float]) -> [Float] {
            let count = real.count
            let transform = FourierTransform(count: count)
            let guardValue: Float = 12345
            var output = [Float](repeating: guardValue, count: 2 * (count + 1))
            var scratch = [Float](
                repeating: .nan, count: transform.scratchCount + 1)
            scratch[transform.scratchCount] = guardValue
            output.withUnsafeMutableBufferPointer { output in
                let start = output.baseAddress!
                transform.run(real, imaginary, start, start + count + 1, scratch: &scratch)
            }
            #expect(scratch[transform.scratchCount] == guardValue)
            #expect(output[count] == guardValue && output[2 * count + 1] == guardValue)
            return Array(output[0..<count] + output[count + 1..<2 * count + 1])
        }

        @Test(arguments: Array(1...66) + [96, 121, 128, 192, 210, 576, 768, 997, 1536])
        func everyLengthFollowsTheDefinition(count: Int) {
            var random = SeededGenerator(seed: UInt64(count))
            let (real, imaginary) = (random.floats(count), random.floats(count))
            let expected = definition(real, imaginary)
            // Each value passes a few stages; the sum of squares bounds what rounding can do.
            let norm = (0..<count).reduce(0.0) {
                $0 + Double(real[$1] * real[$1] + imaginary[$1] * imaginary[$1])
            }.squareRoot()
            let tolerance = 2e-6 * (norm * Double(count).squareRoot() + 1)
            var portable: [Float] = []
            for set in InstructionSet.runnable {
                InstructionSet.use(set)
                let found = transform(real, imaginary)
                if portable.isEmpty { portable = found }
                #expect(found.map(\.bitPattern) == portable.map(\.bitPattern), "\(set)")
                for f in 0..<count {
                    #expect(abs(Double(found[f]) - expected[f].0) < tolerance)
                    #expect(abs(Double(found[count + f]) - expected[f].1) < tolerance)
                }
            }
            InstructionSet.use(.strongest)
        }

        @Test func scratchAndProductsAreCounted() {
            #expect(FourierTransform(count: 1).productCount == 0)
            #expect(FourierTransform(count: 576).scratchCount == 2 * 576)
            // Far below the definition's 4 n².
            #expect(FourierTransform(count: 576).productCount < 40 * 576)
        }
    }
}
