import Kernels

/// What `--quantize` makes of a base's weights while they are loaded.
///
/// Measured on SmolLM2-135M, whose small matrices suffer more than those of larger models: tables
/// of 4 bits would cost more perplexity than all other matrices together, so that `q4` keeps
/// embedding and head at 8.
public enum Quantization: String, Sendable, CaseIterable {
    /// Blocks of 32 levels of 8 bits with one scale: Q8_0.
    case q8
    /// Blocks of 32 levels of 4 bits with scale and minimum, Q4_1; embedding and head as Q8_0.
    case q4

    func type(of slot: LinearSlot?) -> WeightType {
        guard self == .q4, let slot, slot != .head else { return .q8_0 }
        return .q4_1
    }

    /// The matrix in blocks; itself where it has blocks already, or where its inputs don't make
    /// whole blocks.
    ///
    /// - Parameter slot: nil for the embedding.
    func quantized(
        _ matrix: PackedMatrix, slot: LinearSlot?, into arena: PackedArena, pool: WorkerPool
    ) -> PackedMatrix {
        let type = type(of: slot)
        guard matrix.type.blockElementCount == 1,
            matrix.inputCount % type.blockElementCount == 0
        else { return matrix }
        let rowByteCount = matrix.inputCount / type.blockElementCount * type.blockByteCount
        let blocks = AlignedBuffer<UInt8>(count: matrix.outputCount * rowByteCount)
        let taskRowCount = 16
        let taskCount = (matrix.outputCount + taskRowCount - 1) / taskRowCount
        let rows = AlignedBuffer<Float>(count: pool.threadCount * matrix.inputCount)
        pool.run(taskCount: taskCount) { task, worker in
            let row = rows.pointer + worker * matrix.inputCount
            let first = task * taskRowCount
            for output in first..<min(matrix.outputCount, first + taskRowCount) {
                matrix.unpackRow(output, into: row)
                BlockQuantizer.quantize(
                    UnsafeBufferPointer(start: row, count: matrix.inputCount), to: type,
                    into: blocks.pointer + output * rowByteCount)
            }
        }
        return PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(blocks.pointer), type: type,
                outputCount: matrix.outputCount, inputCount: matrix.inputCount),
            into: arena, pool: pool)
    }
}
