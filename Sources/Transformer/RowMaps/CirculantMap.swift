import Kernels

/// Square blocks, each of which is one kernel, moved on by a place from row to row: products of
/// spectra in place of a matrix.
///
/// Block (m, n) has k[m, n, (j − i) mod b] at (i, j): a correlation of the kernel with piece n of the
/// input, so that the output's spectrum is the sum of the input's times the kernels' conjugates.
///
/// **Source**: C3A, arXiv 2407.19342.
public final class CirculantMap: RowMap, @unchecked Sendable {
    private let blockSize: Int
    private let transform: FourierTransform
    /// Conjugate spectra of the kernels: real parts [m, n, bins], then as many imaginary ones.
    private let spectra: AlignedBuffer<Float>

    /// Frequencies that tell all others of real values.
    private var binCount: Int { blockSize / 2 + 1 }
    private var kernelCount: Int { inputCount / blockSize * (outputCount / blockSize) }

    /// - Parameter kernels: **Shape** [outputCount / blockSize, inputCount / blockSize, blockSize].
    public init(kernels: [Float], blockSize: Int, inputCount: Int, outputCount: Int) {
        precondition(inputCount % blockSize == 0 && outputCount % blockSize == 0)
        precondition(kernels.count * blockSize == inputCount * outputCount)
        self.blockSize = blockSize
        transform = FourierTransform(count: blockSize)
        spectra = Self.conjugateSpectra(kernels, transform)
        super.init(inputCount: inputCount, outputCount: outputCount)
    }

    private static func conjugateSpectra(
        _ kernels: [Float], _ transform: FourierTransform
    ) -> AlignedBuffer<Float> {
        let blockSize = transform.count
        let binCount = blockSize / 2 + 1
        let kernelCount = kernels.count / blockSize
        let spectra = AlignedBuffer<Float>(count: 2 * kernelCount * binCount)
        let values = AlignedBuffer<Float>(copying: kernels)
        let work = AlignedBuffer<Float>(count: 3 * blockSize + transform.scratchCount)
        let (zeros, real) = (work.pointer, work.pointer + blockSize)
        let imaginary = real + blockSize
        zeros.update(repeating: 0, count: blockSize)
        for kernel in 0..<kernelCount {
            transform.run(
                values.pointer + kernel * blockSize, zeros, real, imaginary,
                scratch: imaginary + blockSize)
            for bin in 0..<binCount {
                spectra.pointer[kernel * binCount + bin] = real[bin]
                spectra.pointer[(kernelCount + kernel) * binCount + bin] = -imaginary[bin]
            }
        }
        return spectra
    }

    public override var byteCount: Int { 2 * kernelCount * binCount * MemoryLayout<Float>.stride }

    /// Spectra of all pieces of the input, a piece's whole spectrum and zeros, and the transform's.
    override var scratchCount: Int {
        inputCount / blockSize * binCount * 2 + 4 * blockSize + transform.scratchCount
    }

    public override var productCount: Int {
        4 * kernelCount * binCount
            + (inputCount + outputCount) / blockSize * transform.productCount
    }

    public override var form: String { "circulant" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let pieceCount = inputCount / blockSize
        let (reals, imaginaries) = (scratch, scratch + pieceCount * binCount)
        let real = imaginaries + pieceCount * binCount
        let (imaginary, zeros) = (real + blockSize, real + 2 * blockSize)
        let inner = zeros + blockSize
        zeros.update(repeating: 0, count: blockSize)
        for piece in 0..<pieceCount {
            transform.run(
                input + piece * blockSize, zeros, real, imaginary, scratch: inner)
            (reals + piece * binCount).update(from: real, count: binCount)
            (imaginaries + piece * binCount).update(from: imaginary, count: binCount)
        }
        for row in 0..<outputCount / blockSize {
            addRow(
                row, reals, imaginaries, scaledBy: scale / Float(blockSize),
                to: output + row * blockSize, scratch: real)
        }
    }

    /// Sums the products of one row of blocks and turns them back.
    ///
    /// Of real values, a transform of the conjugate spectrum is the inverse transform.
    private func addRow(
        _ row: Int, _ reals: UnsafePointer<Float>, _ imaginaries: UnsafePointer<Float>,
        scaledBy scale: Float, to output: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let pieceCount = inputCount / blockSize
        let (real, imaginary) = (scratch, scratch + blockSize)
        real.update(repeating: 0, count: 2 * blockSize)
        for piece in 0..<pieceCount {
            let kernel = spectra.pointer + (row * pieceCount + piece) * binCount
            let conjugate = kernel + kernelCount * binCount
            let (x, y) = (reals + piece * binCount, imaginaries + piece * binCount)
            for bin in 0..<binCount {
                real[bin] += kernel[bin] * x[bin] - conjugate[bin] * y[bin]
                imaginary[bin] -= kernel[bin] * y[bin] + conjugate[bin] * x[bin]
            }
        }
        for bin in binCount..<max(binCount, blockSize) {
            real[bin] = real[blockSize - bin]
            imaginary[bin] = -imaginary[blockSize - bin]
        }
        let inner = scratch + 3 * blockSize
        transform.run(real, imaginary, scratch + 2 * blockSize, inner, scratch: inner + blockSize)
        Vectors.add(scratch + 2 * blockSize, scaledBy: scale, to: output, count: blockSize)
    }
}
