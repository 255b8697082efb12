internal import CKernels

/// A packed matrix as products see it: plain values without a reference, so that a step moves them
/// about for nothing. Valid as long as its `PackedMatrix`.
public struct PackedView: BitwiseCopyable, @unchecked Sendable {
    let type: gk_type
    let bytes: UnsafeRawPointer
    public let outputCount: Int
    public let inputCount: Int

    /// Tells matrices apart: equal for views of one matrix.
    public var identity: UnsafeRawPointer { bytes }

    var panelCount: Int { (outputCount + Int(GK_PANEL) - 1) / Int(GK_PANEL) }
    var byteCount: Int { panelCount * gk_panel_bytes(type, inputCount) }
    /// True for types of blocks, whose products take rows rounded to blocks of bytes.
    var isBlocks: Bool { type.rawValue > GK_BF16.rawValue }
    /// True when products take rows rounded to bf16: where the processor multiplies bf16.
    var takesPairs: Bool { type == GK_BF16 && gk_uses_bf16_rows() != 0 }
}

/// A row-major matrix as products see it. Valid as long as its `RowMatrix`.
public struct RowView: BitwiseCopyable, @unchecked Sendable {
    let type: gk_type
    let bytes: UnsafeRawPointer
    public let outputCount: Int
    public let inputCount: Int

    /// `count` of its rows (outputs), from `first` on.
    public func rows(_ first: Int, count: Int) -> RowView {
        precondition(first >= 0 && first + count <= outputCount)
        let size = type == GK_F32 ? 4 : 2
        return RowView(
            type: type, bytes: bytes + first * inputCount * size, outputCount: count,
            inputCount: inputCount)
    }
}

extension PackedMatrix {
    public var view: PackedView {
        PackedView(
            type: type.kernelType, bytes: bytes.baseAddress!, outputCount: outputCount,
            inputCount: inputCount)
    }
}

/// A matrix of few outputs, row-major as stored: the A of low-rank operators.
///
/// **Shape**: [outputCount, inputCount], f32, f16 or bf16; no output is padded, whatever the rank.
public final class RowMatrix: Sendable {
    public let type: WeightType
    public let outputCount: Int
    public let inputCount: Int
    private let storage: AlignedBuffer<UInt8>

    /// Copies `source`, whose type is not one of blocks.
    public init(copying source: WeightMatrix) {
        precondition(source.type.blockElementCount == 1)
        type = source.type
        outputCount = source.outputCount
        inputCount = source.inputCount
        let byteCount = outputCount * inputCount * type.blockByteCount
        storage = AlignedBuffer(count: byteCount)
        UnsafeMutableRawPointer(storage.pointer)
            .copyMemory(from: source.pointer, byteCount: byteCount)
    }

    public var byteCount: Int { outputCount * inputCount * type.blockByteCount }

    public var view: RowView {
        RowView(
            type: type.kernelType, bytes: UnsafeRawPointer(storage.pointer),
            outputCount: outputCount, inputCount: inputCount)
    }

    /// The matrix in f32.
    ///
    /// - Parameter matrix: **Shape** [outputCount, inputCount], row-major.
    public func unpack(into matrix: UnsafeMutablePointer<Float>) {
        gk_widen(type.kernelType, storage.pointer, outputCount * inputCount, matrix)
    }
}
