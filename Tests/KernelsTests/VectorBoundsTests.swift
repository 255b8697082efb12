import Kernels
import Testing

extension InstructionSetSuites {
    /// What the row kernels leave alone, at every length and misalignment.
    struct VectorBoundsTests {
        typealias Kernel = @Sendable (UnsafeMutablePointer<Float>, Int) -> Void

        private static let lanes = 16
        private static let canary: Float = 12345.5
        private static let margin = 32

        /// Kernels that change `count` values in place; each takes its other operands from a
        /// neighbouring place of equal misalignment.
        private static let kernels: [(name: String, run: Kernel)] = [
            (
                "rmsNorm",
                { values, count in
                    Vectors.rmsNorm(
                        input: values, gain: operand(values), epsilon: 1e-6, rowCount: 1,
                        width: count,
                        output: values)
                }
            ),
            (
                "layerNorm",
                { values, count in
                    Vectors.layerNorm(
                        input: values, gain: operand(values), bias: operand(values) + 1,
                        epsilon: 1e-6, rowCount: 1, width: count, output: values)
                }
            ),
            (
                "rotary of neighbours",
                { values, count in
                    Vectors.rotary(
                        values, headCount: 1, headDimension: count,
                        rotaryDimension: count / 2 * 2, isInterleaved: true,
                        cosines: operand(values), sines: operand(values) + lanes)
                }
            ),
            (
                "activate",
                { values, count in
                    Vectors.activate(.gelu, values, times: operand(values), count: count)
                    Vectors.activate(.geluTanh, values, times: nil, count: count)
                }
            ),
            ("softCap", { values, count in Vectors.softCap(values, at: 0.7, count: count) }),
            (
                "rotary",
                { values, count in
                    Vectors.rotary(
                        values, headCount: 1, headDimension: count / 2 * 2,
                        cosines: operand(values), sines: operand(values) + lanes)
                }
            ),
            (
                "siluMultiply",
                { values, count in
                    Vectors.siluMultiply(gate: values, up: operand(values), count: count)
                }
            ),
            (
                "add",
                { values, count in
                    Vectors.add(operand(values), to: values, count: count)
                }
            ),
            ("scale", { values, count in Vectors.scale(values, by: 0.3, count: count) }),
            (
                "exponentials",
                { values, count in
                    _ = Vectors.exponentials(values, minus: 1, count: count)
                }
            ),
        ]

        private static func operand(
            _ values: UnsafeMutablePointer<Float>
        ) -> UnsafeMutablePointer<Float> {
            values + 2 * lanes + margin
        }

        /// Canaries, then random values and an operand behind them, `misalignment` floats off a
        /// 64-byte boundary.
        private static func memory(count: Int, misalignment: Int) -> AlignedBuffer<Float> {
            var random = SeededGenerator(seed: UInt64(1000 + count))
            let buffer = AlignedBuffer<Float>(count: 2 * margin + 6 * lanes + 16)
            for index in 0..<buffer.count { buffer.pointer[index] = canary }
            let values = buffer.pointer + margin + misalignment
            for (index, value) in random.floats(count).enumerated() { values[index] = value }
            let other = operand(values)
            for (index, value) in random.floats(2 * lanes).enumerated() { other[index] = value }
            return buffer
        }

        private static func bits(_ buffer: AlignedBuffer<Float>) -> [UInt32] {
            (0..<buffer.count).map { buffer.pointer[$0].bitPattern }
        }

        @Test(arguments: [0, 1, 3, 7, 8, 15])
        func onlyTheRowChangesAtEveryLength(misalignment: Int) {
            defer { InstructionSet.use(.strongest) }
            for kernel in Self.kernels {
                for count in 0...2 * Self.lanes {
                    InstructionSet.use(.portable)
                    let before = Self.memory(count: count, misalignment: misalignment)
                    let portable = Self.memory(count: count, misalignment: misalignment)
                    let row = Self.margin + misalignment..<Self.margin + misalignment + count
                    kernel.run(portable.pointer + row.lowerBound, count)
                    for index in 0..<before.count where !row.contains(index) {
                        #expect(
                            portable.pointer[index] == before.pointer[index],
                            "\(kernel.name), \(count) values: index \(index)")
                    }
                    for set in InstructionSet.runnable {
                        InstructionSet.use(set)
                        let other = Self.memory(count: count, misalignment: misalignment)
                        kernel.run(other.pointer + row.lowerBound, count)
                        #expect(
                            Self.bits(other) == Self.bits(portable),
                            "\(kernel.name), \(count) values, \(set)")
                    }
                }
            }
        }
    }
}
