import Checkpoints
import Kernels
import StrictJSON
import Synchronization

/// Tensors of a `model.bin`, already in the kernels' order.
///
/// They are read into memory of the process: who writes to the file while a server runs, or cuts it
/// short, changes nothing, and large pages, which mapped files lack, make decoding faster.
struct PackedWeightSource: WeightSource {
    private let tensors: any TensorSource
    private let layout: PackedLayout
    private let pool: WorkerPool

    init(_ tensors: any TensorSource, pool: WorkerPool) throws(TransformerError) {
        self.tensors = tensors
        self.pool = pool
        guard let text = tensors.metadata[PackedFormat.layoutKey] else {
            throw .damagedPackedFile(
                "the metadata lack '\(PackedFormat.layoutKey)'", file: tensors.path)
        }
        guard let layout = PackedLayout(text: text) else {
            throw .damagedPackedFile(
                "'\(PackedFormat.layoutKey)' can't be read", file: tensors.path)
        }
        self.layout = layout
    }

    var path: String { tensors.path }
    var tensorNames: [String] { tensors.tensorNames }
    var keptTypes: KeptTypes { KeptTypes() }

    func matrix(
        _ name: String, shape: LinearShape, slot: LinearSlot?, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix {
        let expected = [shape.outputCount, shape.inputCount]
        let (view, entry) = try tensor(name, shape: expected)
        guard shape.inputCount % entry.type.blockElementCount == 0 else {
            throw .damagedPackedFile(
                "tensor '\(name)' has rows of \(shape.inputCount), which aren't whole blocks of "
                    + entry.type.rawValue, file: path)
        }
        let byteCount = PackedMatrix.packedByteCount(
            type: entry.type, outputCount: shape.outputCount, inputCount: shape.inputCount)
        guard view.bytes.count >= byteCount else {
            throw .damagedPackedFile(
                "tensor '\(name)' has \(view.bytes.count) bytes, expected \(byteCount)", file: path)
        }
        do {
            return try PackedMatrix(
                type: entry.type, outputCount: shape.outputCount, inputCount: shape.inputCount,
                into: arena
            ) { (room) throws(CheckpointError) in try read(view, into: room) }
        } catch { throw .checkpoint(error) }
    }

    /// Two tables of a `model.bin` are two: the writer stores a tied one once.
    func haveSameContent(_ first: String, _ second: String) throws(TransformerError) -> Bool {
        false
    }

    func vector(
        _ name: String, count: Int, slot: LinearSlot?
    ) throws(TransformerError) -> [Float] {
        let (view, entry) = try tensor(name, shape: [count])
        let byteCount = count * MemoryLayout<Float>.stride
        guard entry.type == .f32, view.bytes.count >= byteCount else {
            throw .damagedPackedFile("tensor '\(name)' is not F32 [\(count)]", file: path)
        }
        var failure: CheckpointError?
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(CheckpointError) {
                try view.read(into: UnsafeMutableRawBufferPointer(buffer))
                initialized = count
            } catch {
                failure = error
                initialized = 0
            }
        }
        if let failure { throw .checkpoint(failure) }
        return values
    }

    /// All workers read parts: most of the time goes into new pages of memory.
    private func read(
        _ view: TensorView, into room: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        let failure = Mutex<CheckpointError?>(nil)
        let start = UInt(bitPattern: room.baseAddress)
        let byteCount = room.count
        let taskCount = (byteCount + Self.partByteCount - 1) / Self.partByteCount
        pool.run(taskCount: taskCount) { task, _ in
            let offset = task * Self.partByteCount
            let part = UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: start + UInt(offset)),
                count: min(Self.partByteCount, byteCount - offset))
            do throws(CheckpointError) { try view.read(from: offset, into: part) } catch {
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private static let partByteCount = 256 << 10

    private func tensor(
        _ name: String, shape: [Int]
    ) throws(TransformerError) -> (TensorView, PackedLayout.Entry) {
        guard let view = tensors.tensor(name), let entry = layout.entries[name] else {
            throw .missingTensor(name, file: path)
        }
        guard entry.shape == shape else {
            throw .wrongShape(tensor: name, expected: shape, found: entry.shape, file: path)
        }
        return (view, entry)
    }
}

/// What the tensors of a `model.bin` hold: type and shape of each, beside its packed bytes.
struct PackedLayout {
    struct Entry: Equatable {
        let type: WeightType
        /// [outputCount, inputCount] of a packed matrix, or [count] of an f32 vector.
        let shape: [Int]
    }

    var entries: [String: Entry] = [:]

    init() {}

    /// Nil when the text is not such a layout.
    init?(text: String) {
        guard let object = (try? JSONValue(parsing: text))?.objectValue else { return nil }
        for (name, value) in object {
            guard let member = value.objectValue,
                let type = member["type"]?.stringValue.flatMap(WeightType.init(rawValue:)),
                let shape = member["shape"]?.arrayValue?.map(\.intValue),
                (1...2).contains(shape.count)
            else { return nil }
            entries[name] = Entry(type: type, shape: shape.map { $0 ?? -1 })
        }
    }

    var text: String {
        var object = JSONObject()
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            object[name] = .object([
                "type": .string(entry.type.rawValue),
                "shape": .array(entry.shape.map { .integer(Int64($0)) }),
            ])
        }
        return JSONValue.object(object).serialized()
    }
}
