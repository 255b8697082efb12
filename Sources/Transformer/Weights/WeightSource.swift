import Checkpoints
import Kernels

/// Where packed weights come from. What it gives is memory of the process: no file stays behind it.
protocol WeightSource {
    var path: String { get }
    var tensorNames: [String] { get }

    /// The matrix of this name, packed. `slot` is nil for the embedding.
    ///
    /// - Parameter arena: where a matrix that is packed now goes; nil: memory of its own.
    func matrix(
        _ name: String, shape: LinearShape, slot: LinearSlot?, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix

    /// A vector of `count` values, widened to f32. `slot` says whose bias it is.
    func vector(
        _ name: String, count: Int, slot: LinearSlot?
    ) throws(TransformerError) -> [Float]

    /// A norm's gain as slots have it.
    func gain(_ name: String, count: Int, slot: NormSlot) throws(TransformerError) -> [Float]

    /// Whether two tensors hold the same bytes of the same type and shape.
    func haveSameContent(_ first: String, _ second: String) throws(TransformerError) -> Bool

    /// What the matrices read so far are kept in, of stored types that nothing computes with.
    var keptTypes: KeptTypes { get }
}

extension WeightSource {
    func gain(
        _ name: String, count: Int, slot: NormSlot
    ) throws(TransformerError) -> [Float] {
        try vector(name, count: count, slot: nil)
    }
}

/// Tensors as checkpoints store them, row-major; packed while loading.
struct StoredWeightSource: WeightSource {
    let tensors: any TensorSource
    let pool: WorkerPool
    let slots: SlotTable
    /// What is stored in another way than slots have it.
    let layout: StoredLayout
    /// By slot, where rows are in another order.
    let rowOrders: [LinearSlot: RowOrder]
    /// What a tensor is read into before it is packed.
    private let scratch = ScratchMemory()
    private let kept = KeptTypesRecord()

    init(
        tensors: any TensorSource, pool: WorkerPool, spec: DecoderSpec, slots: SlotTable,
        layout: StoredLayout
    ) {
        self.tensors = tensors
        self.pool = pool
        self.slots = slots
        self.layout = layout
        rowOrders = spec.storedRowOrders(slots, layout)
    }

    var path: String { tensors.path }
    var tensorNames: [String] { tensors.tensorNames }
    var keptTypes: KeptTypes { kept.types }

    func matrix(
        _ name: String, shape: LinearShape, slot: LinearSlot?, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix {
        if let slot, slots.isTransposed(slot), !layout.matricesAreUpright {
            let view = try tensor(name, shape: [shape.inputCount, shape.outputCount])
            return try transposed(view, from: 0, shape: shape, arena: arena)
        }
        if let slot, let stacked = slots.stacked(slot), tensors.tensor(name) == nil {
            return try matrix(stacked, at: slot, shape: shape, arena: arena)
        }
        let view = try tensor(name, shape: [shape.outputCount, shape.inputCount])
        let type = WeightType(rawValue: view.elementType.rawValue)
        let conversion = WeightConversion(view.elementType)
        guard type != nil || conversion != nil else {
            throw .unsupportedType(
                tensor: name, found: view.elementType.rawValue,
                supported: WeightType.allCases.map(\.rawValue).joined(separator: ", "), file: path)
        }
        let rows = scratch.room(view.bytes.count)
        do { try view.read(into: rows) } catch { throw .checkpoint(error) }
        let bytes = UnsafeRawBufferPointer(rows)
        guard type == nil, let conversion else {
            return packed(bytes, type ?? .f32, shape, slot, arena)
        }
        let result = conversion.converted(bytes, shape: shape, pool: pool)
        kept.types.add(view.elementType, as: result.type, isExact: result.isExact)
        return packed(
            UnsafeRawBufferPointer(start: result.rows.pointer, count: result.rows.count),
            result.type, shape, slot, arena)
    }

    private func packed(
        _ bytes: UnsafeRawBufferPointer, _ type: WeightType, _ shape: LinearShape,
        _ slot: LinearSlot?, _ arena: PackedArena?
    ) -> PackedMatrix {
        withRowsInOrder(bytes, type: type, shape: shape, slot: slot) { rows in
            let stored = WeightMatrix(
                pointer: rows, type: type, outputCount: shape.outputCount,
                inputCount: shape.inputCount)
            return PackedMatrix(packing: stored, into: arena, pool: pool)
        }
    }

    /// A matrix of one expert in a tensor of all.
    private func matrix(
        _ stacked: StackedTensor, at slot: LinearSlot, shape: LinearShape, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix {
        let stackedName = slots.stackedName(stacked.name, of: slot)
        // Where both forms exist, a file without either lacks the usual one.
        guard !stacked.isAlternative || tensors.tensor(stackedName) != nil else {
            throw .missingTensor(slots.weightName(of: .linear(slot)), file: path)
        }
        let view = try tensor(stackedName, shape: stacked.shape(inputCount: shape.inputCount))
        let type = try floatType(of: view)
        let rowByteCount = shape.inputCount * type.blockByteCount
        let first = stacked.index * stacked.rowCount * rowByteCount
        if stacked.isTransposed {
            return try transposed(view, from: first, shape: shape, arena: arena)
        }
        let rows = scratch.room(shape.outputCount * rowByteCount)
        do {
            try view.read(from: first + stacked.rows.lowerBound * rowByteCount, into: rows)
        } catch { throw .checkpoint(error) }
        return PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(rows.baseAddress!), type: type,
                outputCount: shape.outputCount, inputCount: shape.inputCount),
            into: arena, pool: pool)
    }

    private func floatType(of view: TensorView) throws(TransformerError) -> WeightType {
        guard let type = WeightType(rawValue: view.elementType.rawValue),
            type.blockElementCount == 1
        else {
            throw .unsupportedType(
                tensor: view.name, found: view.elementType.rawValue, supported: "F32, F16, BF16",
                file: path)
        }
        return type
    }

    /// A matrix that is stored as [inputCount, outputCount].
    ///
    /// - Parameter offset: where it begins in the tensor.
    private func transposed(
        _ view: TensorView, from offset: Int, shape: LinearShape, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix {
        let type = try floatType(of: view)
        let byteCount = shape.inputCount * shape.outputCount * type.blockByteCount
        let stored = scratch.room(byteCount)
        do { try view.read(from: offset, into: stored) } catch { throw .checkpoint(error) }
        let rows = AlignedBuffer<UInt8>(count: byteCount)
        Self.transpose(
            UnsafeRawPointer(stored.baseAddress!), to: UnsafeMutableRawPointer(rows.pointer),
            rowCount: shape.inputCount, columnCount: shape.outputCount,
            byteCount: type.blockByteCount)
        return PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(rows.pointer), type: type,
                outputCount: shape.outputCount, inputCount: shape.inputCount),
            into: arena, pool: pool)
    }

    /// - Parameter byteCount: 2 or 4 bytes of an element.
    private static func transpose(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, rowCount: Int,
        columnCount: Int, byteCount: Int
    ) {
        func move<Element: BitwiseCopyable>(_ type: Element.Type) {
            let (source, target) = (
                source.assumingMemoryBound(to: type), target.assumingMemoryBound(to: type)
            )
            for row in 0..<rowCount {
                for column in 0..<columnCount {
                    target[column * rowCount + row] = source[row * columnCount + column]
                }
            }
        }
        if byteCount == 2 { move(UInt16.self) } else { move(UInt32.self) }
    }

    func vector(
        _ name: String, count: Int, slot: LinearSlot?
    ) throws(TransformerError) -> [Float] {
        if let slot, let stacked = slots.stacked(slot), let biasName = stacked.biasName,
            tensors.tensor(name) == nil
        {
            return try vector(slots.stackedName(biasName, of: slot), of: stacked, count: count)
        }
        let view = try tensor(name, shape: [count])
        let values: [Float]
        do { values = try view.floats() } catch { throw .checkpoint(error) }
        guard let order = slot.flatMap({ rowOrders[$0] }) else { return values }
        return order.storedRows.map { values[$0] }
    }

    func gain(
        _ name: String, count: Int, slot: NormSlot
    ) throws(TransformerError) -> [Float] {
        let values = try vector(name, count: count, slot: nil)
        let offset = slots.gainOffset(of: slot)
        return layout.gainsAreWhole && offset != 0 ? values.map { $0 - offset } : values
    }

    /// The bias of one expert in a tensor of all.
    private func vector(
        _ name: String, of stacked: StackedTensor, count: Int
    ) throws(TransformerError) -> [Float] {
        let view = try tensor(name, shape: [stacked.count, count])
        do {
            return Array(try view.floats()[stacked.index * count..<(stacked.index + 1) * count])
        } catch { throw .checkpoint(error) }
    }

    func haveSameContent(_ first: String, _ second: String) throws(TransformerError) -> Bool {
        guard let first = tensors.tensor(first), let second = tensors.tensor(second) else {
            return false
        }
        do { return try first.hasSameContent(as: second) } catch { throw .checkpoint(error) }
    }

    private func tensor(_ name: String, shape: [Int]) throws(TransformerError) -> TensorView {
        guard let view = tensors.tensor(name) else { throw .missingTensor(name, file: path) }
        guard view.shape == shape else {
            throw .wrongShape(tensor: name, expected: shape, found: view.shape, file: path)
        }
        return view
    }

    private func withRowsInOrder<Result>(
        _ bytes: UnsafeRawBufferPointer, type: WeightType, shape: LinearShape, slot: LinearSlot?,
        _ body: (UnsafeRawPointer) -> Result
    ) -> Result {
        let stored = bytes.baseAddress!
        guard let order = slot.flatMap({ rowOrders[$0] }) else { return body(stored) }
        let rowByteCount = shape.inputCount / type.blockElementCount * type.blockByteCount
        let rows = AlignedBuffer<UInt8>(count: bytes.count)
        for (row, source) in order.storedRows.enumerated() {
            UnsafeMutableRawPointer(rows.pointer + row * rowByteCount)
                .copyMemory(from: stored + source * rowByteCount, byteCount: rowByteCount)
        }
        return body(UnsafeRawPointer(rows.pointer))
    }
}

/// Memory that one tensor after the other is read into, as large as the largest so far.
private final class ScratchMemory {
    private var buffer: AlignedBuffer<UInt8>?

    func room(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let buffer: AlignedBuffer<UInt8>
        if let own = self.buffer, own.count >= byteCount {
            buffer = own
        } else {
            // The old memory goes before the new comes.
            self.buffer = nil
            buffer = AlignedBuffer(count: byteCount)
            self.buffer = buffer
        }
        return UnsafeMutableRawBufferPointer(start: buffer.pointer, count: byteCount)
    }
}
