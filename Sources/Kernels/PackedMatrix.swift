internal import CKernels

/// A weight matrix as checkpoints store it.
///
/// **Shape**: row-major [outputCount, inputCount]; blocks of quantised types run along the inputs.
public struct WeightMatrix {
    public let pointer: UnsafeRawPointer
    public let type: WeightType
    public let outputCount: Int
    public let inputCount: Int

    public init(pointer: UnsafeRawPointer, type: WeightType, outputCount: Int, inputCount: Int) {
        precondition(inputCount % type.blockElementCount == 0)
        self.pointer = pointer
        self.type = type
        self.outputCount = outputCount
        self.inputCount = inputCount
    }
}

/// Rounding of f32 weights to blocks of 32.
///
/// **Source**: block layouts of the GGUF specification.
public enum BlockQuantizer {
    /// - Parameters:
    /// - type: Q8_0, with levels to the nearest of the largest magnitude's 127th part; or Q4_1,
    ///     with the scale and minimum that lose least of the block in squares among a score of
    ///     grids.
    ///   - weights: a multiple of 32.
    ///   - blocks: room for their blocks.
    public static func quantize(
        _ weights: UnsafeBufferPointer<Float>, to type: WeightType,
        into blocks: UnsafeMutablePointer<UInt8>
    ) {
        precondition(type == .q8_0 || type == .q4_1)
        gk_quantize(type.kernelType, weights.baseAddress, weights.count, blocks)
    }

    /// The blocks that ggml's reference makes of weights, bit for bit.
    ///
    /// - Parameters:
    ///   - type: Q8_0, Q4_0 or Q4_1.
    ///   - weights: a multiple of 32.
    ///   - blocks: room for their blocks.
    public static func quantizePlainly(
        _ weights: UnsafeBufferPointer<Float>, to type: WeightType,
        into blocks: UnsafeMutablePointer<UInt8>
    ) {
        precondition(type.blockElementCount > 1)
        gk_quantize_plain(type.kernelType, weights.baseAddress, weights.count, blocks)
    }
}

/// A weight matrix in the order in which the kernels stream it: panels of 16 outputs side by side.
///
///     stored  [outputCount, inputCount]
///     packed  [panel, inputCount, 16 outputs]      (pairs of inputs for BF16; see CKernels/pack.c)
///
/// Immutable after initialisation, so it is shared between threads as it is.
public final class PackedMatrix: @unchecked Sendable {
    public let type: WeightType
    public let outputCount: Int
    public let inputCount: Int
    /// The packed bytes, at a 64-byte boundary.
    public let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` alive.
    private let owner: any AnyObject & Sendable

    public var byteCount: Int { bytes.count }

    private var panelCount: Int { Self.panelCount(outputCount) }

    /// Packs a copy of `source`.
    ///
    /// - Parameter arena: where the copy goes; nil: memory of its own.
    public init(packing source: WeightMatrix, into arena: PackedArena? = nil, pool: WorkerPool?) {
        type = source.type
        outputCount = source.outputCount
        inputCount = source.inputCount
        let byteCount = Self.packedByteCount(
            type: source.type, outputCount: source.outputCount, inputCount: source.inputCount)
        let (buffer, room) = (arena ?? PackedArena(chunkByteCount: byteCount)).take(byteCount)
        owner = buffer
        bytes = UnsafeRawBufferPointer(room)
        let panelCount = panelCount
        let blockPanelCount = 64
        let blockCount = (panelCount + blockPanelCount - 1) / blockPanelCount
        let pack = { (block: Int) in
            gk_pack(
                source.type.kernelType, source.pointer, source.outputCount, source.inputCount,
                block * blockPanelCount, min(panelCount, (block + 1) * blockPanelCount),
                room.baseAddress)
        }
        if let pool {
            pool.run(taskCount: blockCount) { block, _ in pack(block) }
        } else {
            for block in 0..<blockCount { pack(block) }
        }
    }

    /// Takes packed bytes from elsewhere, for example from a file.
    ///
    /// - Parameters:
    ///   - inputCount: whole blocks of the type.
    ///   - arena: where they go; nil: memory of its own.
    ///   - fill: called once with room for `packedByteCount` bytes, which are zeros.
    public init<Failure: Error>(
        type: WeightType, outputCount: Int, inputCount: Int, into arena: PackedArena? = nil,
        filledBy fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(inputCount % type.blockElementCount == 0)
        let byteCount = Self.packedByteCount(
            type: type, outputCount: outputCount, inputCount: inputCount)
        let (buffer, room) = (arena ?? PackedArena(chunkByteCount: byteCount)).take(byteCount)
        try fill(room)
        self.type = type
        self.outputCount = outputCount
        self.inputCount = inputCount
        owner = buffer
        bytes = UnsafeRawBufferPointer(room)
    }

    /// Bytes of the packed form; outputs are rounded up to whole panels.
    public static func packedByteCount(
        type: WeightType, outputCount: Int, inputCount: Int
    ) -> Int {
        panelCount(outputCount) * gk_panel_bytes(type.kernelType, inputCount)
    }

    private static func panelCount(_ outputCount: Int) -> Int {
        (outputCount + Int(GK_PANEL) - 1) / Int(GK_PANEL)
    }

    /// output[r, o] = (accumulating ? output[r, o] : 0) + Σ_k input[r, k] · W[o, k]
    ///
    /// See `ProductBatch.add`; this is a batch of one.
    ///
    /// - Parameters:
    ///   - input: **Shape** [rowCount, inputCount], rows `inputStride` floats apart.
    ///   - output: **Shape** [rowCount, outputCount], rows `outputStride` floats apart.
    public func multiply(
        input: UnsafePointer<Float>, rowCount: Int, inputStride: Int,
        output: UnsafeMutablePointer<Float>, outputStride: Int, accumulating: Bool = false,
        pool: WorkerPool
    ) {
        let batch = ProductBatch(pool: pool)
        batch.begin(input: input, rowCount: rowCount, stride: inputStride, width: inputCount)
        batch.add(
            view, rows: 0..<rowCount, output: output, outputStride: outputStride,
            accumulating: accumulating)
        batch.run()
    }

    /// Row `output` of W in f32.
    ///
    /// - Parameter row: **Shape** [inputCount].
    public func unpackRow(_ output: Int, into row: UnsafeMutablePointer<Float>) {
        precondition(output < outputCount)
        gk_unpack_row(type.kernelType, bytes.baseAddress, inputCount, output, row)
    }

    /// W in f32.
    ///
    /// - Parameter matrix: **Shape** [outputCount, inputCount], row-major.
    public func unpack(into matrix: UnsafeMutablePointer<Float>, pool: WorkerPool?) {
        let blockRowCount = Int(GK_PANEL) * 4
        let blockCount = (outputCount + blockRowCount - 1) / blockRowCount
        let unpack = { (block: Int) in
            for row in block * blockRowCount..<min(self.outputCount, (block + 1) * blockRowCount) {
                self.unpackRow(row, into: matrix + row * self.inputCount)
            }
        }
        if let pool {
            pool.run(taskCount: blockCount) { block, _ in unpack(block) }
        } else {
            for block in 0..<blockCount { unpack(block) }
        }
    }
}
