package import Checkpoints
package import Kernels
import Synchronization

/// Makes of a stored matrix whose type nothing computes with one of a type that is served.
///
///     F64                                        F32
///     blocks of one scale and levels             Q8_0, without loss
///     all other blocks                           Q8_0, rounded from their values
///     values that Q8_0 has no scales for         BF16
///
/// Rows are widened one at a time a worker.
package struct WeightConversion {
    private let type: ElementType
    private let reader: FloatReader

    /// Nil for types whose values aren't floats.
    package init?(_ type: ElementType) {
        guard let reader = FloatReader(type) else { return nil }
        self.type = type
        self.reader = reader
    }

    /// Row-major, as `WeightMatrix` has it.
    package struct Result {
        package let type: WeightType
        package let rows: AlignedBuffer<UInt8>
        /// True where no value changed.
        package let isExact: Bool
    }

    /// What a type is kept in as a rule; nil for types that stay, or can't be read.
    static func usualType(of type: ElementType) -> WeightType? {
        guard WeightType(rawValue: type.rawValue) == nil, FloatReader(type) != nil else {
            return nil
        }
        return type.blockElementCount > 1 ? .q8_0 : .f32
    }

    /// - Parameter bytes: all rows as stored.
    package func converted(
        _ bytes: UnsafeRawBufferPointer, shape: LinearShape, pool: WorkerPool
    ) -> Result {
        guard type.blockElementCount > 1 else {
            return Result(type: .f32, rows: widened(bytes, shape, pool), isExact: false)
        }
        if reader.hasLevels {
            if let rows = levels(bytes, shape, pool) {
                return Result(type: .q8_0, rows: rows, isExact: true)
            }
        } else if let rows = rounded(bytes, shape, pool) {
            return Result(type: .q8_0, rows: rows, isExact: false)
        }
        return Result(type: .bf16, rows: halved(bytes, shape, pool), isExact: false)
    }

    private func widened(
        _ bytes: UnsafeRawBufferPointer, _ shape: LinearShape, _ pool: WorkerPool
    ) -> AlignedBuffer<UInt8> {
        let rows = room(.f32, shape)
        forEachRow(of: bytes, shape, pool) { row, stored, _ in
            let target = rows.pointer + row * shape.inputCount * 4
            reader.read(
                stored, count: shape.inputCount,
                into: UnsafeMutableRawPointer(target).assumingMemoryBound(to: Float.self))
        }
        return rows
    }

    /// Nil where a block's scale is none of Q8_0's.
    private func levels(
        _ bytes: UnsafeRawBufferPointer, _ shape: LinearShape, _ pool: WorkerPool
    ) -> AlignedBuffer<UInt8>? {
        let rows = room(.q8_0, shape)
        let rowByteCount = rows.count / max(1, shape.outputCount)
        let isExact = Mutex(true)
        forEachRow(of: bytes, shape, pool) { row, stored, _ in
            let target = rows.pointer + row * rowByteCount
            if !reader.readLevels(stored, count: shape.inputCount, into: target) {
                isExact.withLock { $0 = false }
            }
        }
        return isExact.withLock { $0 } ? rows : nil
    }

    /// Nil where scales would be infinite, or all of them below what f16 holds with its 11 bits.
    private func rounded(
        _ bytes: UnsafeRawBufferPointer, _ shape: LinearShape, _ pool: WorkerPool
    ) -> AlignedBuffer<UInt8>? {
        let rows = room(.q8_0, shape)
        let rowByteCount = rows.count / max(1, shape.outputCount)
        let largestScale = Mutex(UInt16(0))
        withRoom(shape, pool) { values in
            forEachRow(of: bytes, shape, pool) { row, stored, worker in
                let values = values + worker * shape.inputCount
                let target = rows.pointer + row * rowByteCount
                reader.read(stored, count: shape.inputCount, into: values)
                let buffer = UnsafeBufferPointer(start: values, count: shape.inputCount)
                var largest = Self.infiniteScale
                if ElementType.f32.areFinite(UnsafeRawBufferPointer(buffer)) {
                    BlockQuantizer.quantize(buffer, to: .q8_0, into: target)
                    largest = Self.largestScale(of: target, byteCount: rowByteCount)
                    // Scales that became 0 count as too small.
                    if largest == 0, buffer.contains(where: { $0 != 0 }) { largest = 1 }
                }
                largestScale.withLock { $0 = max($0, largest) }
            }
        }
        let largest = largestScale.withLock { $0 }
        let isHeld = largest == 0 || (Self.smallestNormalScale..<Self.infiniteScale) ~= largest
        return isHeld ? rows : nil
    }

    private func halved(
        _ bytes: UnsafeRawBufferPointer, _ shape: LinearShape, _ pool: WorkerPool
    ) -> AlignedBuffer<UInt8> {
        let rows = room(.bf16, shape)
        withRoom(shape, pool) { values in
            forEachRow(of: bytes, shape, pool) { row, stored, worker in
                let values = values + worker * shape.inputCount
                reader.read(stored, count: shape.inputCount, into: values)
                let target = UnsafeMutableRawPointer(rows.pointer + row * shape.inputCount * 2)
                    .assumingMemoryBound(to: UInt16.self)
                for index in 0..<shape.inputCount {
                    target[index] = HalfPrecision.bf16(values[index])
                }
            }
        }
        return rows
    }

    private static let smallestNormalScale: UInt16 = 0x0400
    private static let infiniteScale: UInt16 = 0x7C00

    /// The bits of the largest scale of a row; scales are never negative.
    private static func largestScale(of blocks: UnsafePointer<UInt8>, byteCount: Int) -> UInt16 {
        let blocks = UnsafeRawPointer(blocks)
        return stride(from: 0, to: byteCount, by: WeightType.q8_0.blockByteCount).reduce(0) {
            max($0, blocks.loadUnaligned(fromByteOffset: $1, as: UInt16.self))
        }
    }

    private func room(_ type: WeightType, _ shape: LinearShape) -> AlignedBuffer<UInt8> {
        AlignedBuffer(
            count: shape.outputCount * shape.inputCount / type.blockElementCount
                * type.blockByteCount)
    }

    /// A row of floats a worker.
    private func withRoom(
        _ shape: LinearShape, _ pool: WorkerPool, _ body: (UnsafeMutablePointer<Float>) -> Void
    ) {
        let values = AlignedBuffer<Float>(count: pool.threadCount * shape.inputCount)
        body(values.pointer)
        withExtendedLifetime(values) {}
    }

    private func forEachRow(
        of bytes: UnsafeRawBufferPointer, _ shape: LinearShape, _ pool: WorkerPool,
        _ body: (_ row: Int, _ stored: UnsafeRawBufferPointer, _ worker: Int) -> Void
    ) {
        let rowByteCount = shape.inputCount / type.blockElementCount * type.blockByteCount
        let taskRowCount = 16
        let taskCount = (shape.outputCount + taskRowCount - 1) / taskRowCount
        pool.run(taskCount: taskCount) { task, worker in
            let first = task * taskRowCount
            for row in first..<min(shape.outputCount, first + taskRowCount) {
                let part = row * rowByteCount..<(row + 1) * rowByteCount
                body(row, UnsafeRawBufferPointer(rebasing: bytes[part]), worker)
            }
        }
    }
}
