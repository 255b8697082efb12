import Foundation
import Kernels
import Testing

extension InstructionSetSuites {
    struct VectorsTests {
        @Test func rmsNormFollowsItsFormulaAtEveryWidth() {
            var random = SeededGenerator(seed: 11)
            for width in 1...50 {
                let input = random.floats(2 * width)
                let gain = random.floats(width)
                onEverySet { _ in
                    var output = [Float](repeating: 0, count: 2 * width)
                    Vectors.rmsNorm(
                        input: input, gain: gain, epsilon: 1e-5, rowCount: 2, width: width,
                        output: &output)
                    for row in 0..<2 {
                        let values = input[row * width..<(row + 1) * width].map(Double.init)
                        let mean = values.reduce(0) { $0 + $1 * $1 } / Double(width)
                        for i in 0..<width {
                            let expected = values[i] / (mean + 1e-5).squareRoot() * Double(gain[i])
                            #expect(abs(Double(output[row * width + i]) - expected) < 1e-5)
                        }
                    }
                    return output
                }
            }
        }

        /// Also of rows far from 0, where the square of the mean would swallow the variance.
        @Test(arguments: [Float(0), 300])
        func layerNormFollowsItsFormulaAtEveryWidth(offset: Float) {
            var random = SeededGenerator(seed: 16)
            for width in 1...50 {
                let input = random.floats(2 * width).map { $0 + offset }
                let gain = random.floats(width)
                let bias = random.floats(width)
                for hasBias in [false, true] {
                    onEverySet { _ in
                        var output = [Float](repeating: 0, count: 2 * width)
                        Vectors.layerNorm(
                            input: input, gain: gain, bias: hasBias ? bias : nil, epsilon: 1e-5,
                            rowCount: 2, width: width, output: &output)
                        for row in 0..<2 {
                            let values = input[row * width..<(row + 1) * width].map(Double.init)
                            let mean = values.reduce(0, +) / Double(width)
                            let variance =
                                values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                                / Double(width)
                            for i in 0..<width {
                                let expected =
                                    (values[i] - mean) / (variance + 1e-5).squareRoot()
                                    * Double(gain[i]) + (hasBias ? Double(bias[i]) : 0)
                                let error = abs(Double(output[row * width + i]) - expected)
                                #expect(error < (offset == 0 ? 1e-5 : 1e-2))
                            }
                        }
                        return output
                    }
                }
            }
        }

        @Test func siluMultiplyFollowsItsFormulaAtEveryLength() {
            var random = SeededGenerator(seed: 12)
            for count in 1...50 {
                let gate = random.floats(count).map { $0 * 30 }
                let up = random.floats(count)
                onEverySet { _ in
                    var output = gate
                    Vectors.siluMultiply(gate: &output, up: up, count: count)
                    for i in 0..<count {
                        let x = Double(gate[i])
                        let expected = x / (1 + exp(-x)) * Double(up[i])
                        #expect(abs(Double(output[i]) - expected) <= 4e-7 * max(1, abs(expected)))
                    }
                    return output
                }
            }
        }

        @Test func exponentialsAreWithinAFewUnitsInTheLastPlace() {
            var random = SeededGenerator(seed: 13)
            let values = random.floats(999).map { $0 * 43 - 43 }
            onEverySet { _ in
                var output = values
                let sum = Vectors.exponentials(&output, minus: 0, count: output.count)
                var total = 0.0
                for (x, y) in zip(values, output) {
                    let expected = exp(Double(x))
                    total += expected
                    #expect(abs(Double(y) - expected) <= 4e-7 * expected)
                }
                #expect(abs(Double(sum) - total) <= 1e-5 * total)
                return output + [sum]
            }
        }

        @Test func exponentialsOfMinusInfinityAreZero() {
            var values: [Float] = [0, -.infinity, -200, -1]
            _ = Vectors.exponentials(&values, minus: 0, count: 4)
            #expect(values[0] == 1)
            #expect(values[1] == 0)
            #expect(values[2] == 0)
        }

        @Test func rotaryTurnsPairsOfHalves() {
            var random = SeededGenerator(seed: 14)
            for dimension in [2, 8, 30, 32, 64, 80] {
                let heads = random.floats(3 * dimension)
                let angles = random.floats(dimension / 2).map { $0 * 3 }
                let cosines = angles.map { cosf($0) }
                let sines = angles.map { sinf($0) }
                onEverySet { _ in
                    var output = heads
                    Vectors.rotary(
                        &output, headCount: 3, headDimension: dimension, cosines: cosines,
                        sines: sines)
                    for head in 0..<3 {
                        for i in 0..<dimension / 2 {
                            let low = head * dimension + i
                            let high = low + dimension / 2
                            let expectedLow = heads[low] * cosines[i] - heads[high] * sines[i]
                            let expectedHigh = heads[high] * cosines[i] + heads[low] * sines[i]
                            #expect(abs(output[low] - expectedLow) < 1e-6)
                            #expect(abs(output[high] - expectedHigh) < 1e-6)
                        }
                    }
                    return output
                }
            }
        }

        @Test(arguments: [false, true])
        func partialRotaryTurnsItsPairsAndNothingElse(isInterleaved: Bool) {
            var random = SeededGenerator(seed: 17)
            for (dimension, turned) in [(8, 0), (8, 2), (30, 12), (64, 32), (80, 32), (96, 96)] {
                let heads = random.floats(3 * dimension)
                let angles = random.floats(turned / 2).map { $0 * 3 }
                let cosines = angles.map { cosf($0) }
                let sines = angles.map { sinf($0) }
                var expected = heads
                for (head, i) in (0..<3).flatMap({ head in (0..<turned / 2).map { (head, $0) } }) {
                    let low = head * dimension + (isInterleaved ? 2 * i : i)
                    let high = low + (isInterleaved ? 1 : turned / 2)
                    expected[low] = heads[low] * cosines[i] - heads[high] * sines[i]
                    expected[high] = heads[high] * cosines[i] + heads[low] * sines[i]
                }
                onEverySet { set in
                    var output = heads
                    Vectors.rotary(
                        &output, headCount: 3, headDimension: dimension, rotaryDimension: turned,
                        isInterleaved: isInterleaved, cosines: cosines, sines: sines)
                    #expect(
                        zip(output, expected).allSatisfy { abs($0 - $1) < 1e-6 },
                        "\(set), \(turned) of \(dimension)")
                    for index in heads.indices where index % dimension >= turned {
                        #expect(output[index] == heads[index])
                    }
                    return output
                }
            }
        }

        @Test func rotaryOfAWholeHeadIsThePartialOneOfAllOfIt() {
            var random = SeededGenerator(seed: 18)
            let heads = random.floats(2 * 80)
            let (cosines, sines) = (random.floats(40), random.floats(40))
            onEverySet { _ in
                var whole = heads
                var part = heads
                Vectors.rotary(
                    &whole, headCount: 2, headDimension: 80, cosines: cosines, sines: sines)
                Vectors.rotary(
                    &part, headCount: 2, headDimension: 80, rotaryDimension: 80,
                    isInterleaved: false, cosines: cosines, sines: sines)
                #expect(part == whole)
                return part
            }
        }

        @Test func theFirstOfEqualMaximaWins() {
            for count in [1, 5, 16, 17, 40] {
                for place in 0..<count {
                    var values = [Float](repeating: -1, count: count)
                    values[place] = 2
                    if place + 1 < count { values[count - 1] = 2 }
                    #expect(Vectors.indexOfMaximum(values, count: count) == place)
                }
            }
        }

        @Test func logSumExpMatchesDoubles() {
            var random = SeededGenerator(seed: 15)
            for count in [1, 7, 16, 33, 1000] {
                let values = random.floats(count).map { $0 * 20 }
                onEverySet { _ in
                    let expected = log(values.reduce(0.0) { $0 + exp(Double($1)) })
                    let result = Vectors.logSumExp(values, count: count)
                    #expect(abs(Double(result) - expected) < 1e-5)
                    return [result]
                }
            }
        }
    }
}
