import Kernels

/// M = Re Σ c e^(2πi (f o / m + g k / n)) at output o of m and input k of n: a few coefficients c
/// of its spectrum, each with a frequency f of outputs and g of inputs.
///
/// A row's transform gives what all coefficients take; another turns their sums back.
///
/// **Source**: FourierFT, arXiv 2405.03003.
public final class SpectrumMap: RowMap, @unchecked Sendable {
    /// Frequencies [coefficients] of outputs, then of inputs.
    private let frequencies: [Int32]
    private let values: AlignedBuffer<Float>
    private let analysis: FourierTransform
    private let synthesis: FourierTransform

    /// - Parameter coefficients: in any order; those of one place add up.
    public init(
        inputCount: Int, outputCount: Int,
        coefficients: [(output: Int, input: Int, value: Float)]
    ) {
        precondition(
            coefficients.allSatisfy {
                (0..<outputCount).contains($0.output) && (0..<inputCount).contains($0.input)
            })
        frequencies =
            coefficients.map { Int32($0.output) } + coefficients.map { Int32($0.input) }
        values = AlignedBuffer(copying: coefficients.map(\.value))
        analysis = FourierTransform(count: inputCount)
        synthesis = FourierTransform(count: outputCount)
        super.init(inputCount: inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { 12 * frequencies.count / 2 }

    /// Two complex rows of inputs' width, two of outputs', and a transform's own.
    override var scratchCount: Int {
        3 * inputCount + 4 * outputCount + max(analysis.scratchCount, synthesis.scratchCount)
    }

    public override var productCount: Int {
        analysis.productCount + synthesis.productCount + frequencies.count
    }

    public override var form: String { "spectrum" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (zeros, real) = (scratch, scratch + inputCount)
        let imaginary = real + inputCount
        let sumReal = imaginary + inputCount
        let (sumImaginary, turnedReal) = (sumReal + outputCount, sumReal + 2 * outputCount)
        let turnedImaginary = turnedReal + outputCount
        let inner = turnedImaginary + outputCount
        zeros.update(repeating: 0, count: inputCount)
        analysis.run(input, zeros, real, imaginary, scratch: inner)
        sumReal.update(repeating: 0, count: 2 * outputCount)
        // Of a real row, the transform of the other sign is the conjugate, and so is that of the
        // sums: conjugated twice, the real part is the same.
        let count = frequencies.count / 2
        for index in 0..<count {
            let (to, from) = (Int(frequencies[index]), Int(frequencies[count + index]))
            sumReal[to] += values.pointer[index] * real[from]
            sumImaginary[to] += values.pointer[index] * imaginary[from]
        }
        synthesis.run(sumReal, sumImaginary, turnedReal, turnedImaginary, scratch: inner)
        Vectors.add(turnedReal, scaledBy: scale, to: output, count: outputCount)
    }
}
