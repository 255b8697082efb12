import Kernels

/// Square blocks, each of which is one kernel, moved on by a place from row to row: products of
/// spectra in place of a matrix.
///
/// Block (m, n) has k[m, n, (j − i) mod b] at (i, j): a correlation of the kernel with piece n of
/// the input, so that the output's spectrum is the sum of the input's times the kernels'
/// conjugates.
///
/// **Source**: C3A, arXiv 2407.19342.
public final class CirculantMap: RowMap, @unchecked Sendable {
    private let blockSize: Int
    private let transform: FourierTransform
    /// Conjugate spectra of the kernels: real parts [m, n, bins], then as many imaginary ones.
    private let spectra: AlignedBuffer<Float>

    /// Frequencies that tell all others of real values.
    private var binCount: Int { blockSize / 2 + 1 }
    private var kernelCount: Int { pieceCount * rowCount }
    /// Pieces of the input.
    private var pieceCount: Int { inputCount / blockSize }
    /// Rows of blocks.
    private var rowCount: Int { outputCount / blockSize }

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

    /// Spectra of all pieces of the input, two whole complex rows, zeros, and the transform's own.
    override var scratchCount: Int {
        pieceCount * binCount * 2 + 5 * blockSize + transform.scratchCount
    }

    public override var productCount: Int {
        4 * kernelCount * binCount
            + ((pieceCount + 1) / 2 + (rowCount + 1) / 2) * transform.productCount
    }

    public override var form: String { "circulant" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (reals, imaginaries) = (scratch, scratch + pieceCount * binCount)
        let work = imaginaries + pieceCount * binCount
        for piece in stride(from: 0, to: pieceCount, by: 2) {
            analyze(piece, of: input, reals, imaginaries, work)
        }
        for row in stride(from: 0, to: rowCount, by: 2) {
            addRows(
                row, reals, imaginaries, scaledBy: scale / Float(blockSize),
                to: output + row * blockSize, work)
        }
    }

    /// The spectra of a piece and the next one, real parts and imaginary parts of one transform.
    ///
    /// With z the transform of a + ib: 2 A[f] = z[f] + z*[−f], 2i B[f] = z[f] − z*[−f].
    private func analyze(
        _ piece: Int, of input: UnsafePointer<Float>, _ reals: UnsafeMutablePointer<Float>,
        _ imaginaries: UnsafeMutablePointer<Float>, _ work: UnsafeMutablePointer<Float>
    ) {
        let (real, imaginary) = (work, work + blockSize)
        let zeros = work + 4 * blockSize
        let hasNext = piece + 1 < pieceCount
        if !hasNext { zeros.update(repeating: 0, count: blockSize) }
        let first = input + piece * blockSize
        transform.run(
            first, hasNext ? first + blockSize : UnsafePointer(zeros), real, imaginary,
            scratch: work + 5 * blockSize)
        let (a, b) = (piece * binCount, (piece + 1) * binCount)
        for bin in 0..<binCount {
            let opposite = bin == 0 ? 0 : blockSize - bin
            reals[a + bin] = 0.5 * (real[bin] + real[opposite])
            imaginaries[a + bin] = 0.5 * (imaginary[bin] - imaginary[opposite])
            guard hasNext else { continue }
            reals[b + bin] = 0.5 * (imaginary[bin] + imaginary[opposite])
            imaginaries[b + bin] = 0.5 * (real[opposite] - real[bin])
        }
    }

    /// Sums the products of two rows of blocks and turns both back at once.
    ///
    /// Of real y₁, y₂ with spectra Y₁, Y₂, the transform of the conjugate of Y₁ + iY₂ is y₁ − iy₂.
    private func addRows(
        _ row: Int, _ reals: UnsafePointer<Float>, _ imaginaries: UnsafePointer<Float>,
        scaledBy scale: Float, to output: UnsafeMutablePointer<Float>,
        _ work: UnsafeMutablePointer<Float>
    ) {
        let (real, imaginary) = (work, work + blockSize)
        real.update(repeating: 0, count: 2 * blockSize)
        let (turnedReal, turnedImaginary) = (work + 2 * blockSize, work + 3 * blockSize)
        let hasNext = row + 1 < rowCount
        // A row's sums stand where the transform's output will.
        let (sumReal, sumImaginary) = (turnedReal, turnedImaginary)
        for part in 0..<(hasNext ? 2 : 1) {
            sumProducts(row + part, reals, imaginaries, sumReal, sumImaginary)
            for bin in 0..<binCount {
                let (r, i) = (sumReal[bin], sumImaginary[bin])
                let opposite = bin == 0 || 2 * bin == blockSize ? nil : blockSize - bin
                if part == 0 {
                    real[bin] += r
                    imaginary[bin] -= i
                    if let opposite {
                        real[opposite] += r
                        imaginary[opposite] += i
                    }
                } else {
                    real[bin] -= i
                    imaginary[bin] -= r
                    if let opposite {
                        real[opposite] += i
                        imaginary[opposite] -= r
                    }
                }
            }
        }
        transform.run(
            real, imaginary, turnedReal, turnedImaginary, scratch: work + 5 * blockSize)
        Vectors.add(turnedReal, scaledBy: scale, to: output, count: blockSize)
        guard hasNext else { return }
        Vectors.add(
            turnedImaginary, scaledBy: -scale, to: output + blockSize, count: blockSize)
    }

    /// Σ over pieces of kernel ⊙ piece for one row of blocks: real and imaginary parts, by bin.
    private func sumProducts(
        _ row: Int, _ reals: UnsafePointer<Float>, _ imaginaries: UnsafePointer<Float>,
        _ sumReal: UnsafeMutablePointer<Float>, _ sumImaginary: UnsafeMutablePointer<Float>
    ) {
        sumReal.update(repeating: 0, count: binCount)
        sumImaginary.update(repeating: 0, count: binCount)
        for piece in 0..<pieceCount {
            let kernel = spectra.pointer + (row * pieceCount + piece) * binCount
            let conjugate = kernel + kernelCount * binCount
            let (x, y) = (reals + piece * binCount, imaginaries + piece * binCount)
            for bin in 0..<binCount {
                sumReal[bin] += kernel[bin] * x[bin] - conjugate[bin] * y[bin]
                sumImaginary[bin] += kernel[bin] * y[bin] + conjugate[bin] * x[bin]
            }
        }
    }
}
