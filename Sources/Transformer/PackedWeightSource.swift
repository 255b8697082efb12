import Checkpoints
import Kernels
import StrictJSON

/// Tensors of a `model.bin`, already in the kernels' order: mapped, not copied.
struct PackedWeightSource: WeightSource {
    private let tensors: any TensorSource
    private let layout: PackedLayout

    init(_ tensors: any TensorSource) throws(TransformerError) {
        self.tensors = tensors
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

    func matrix(
        _ name: String, shape: LinearShape, slot: LinearSlot?, arena: PackedArena?
    ) throws(TransformerError) -> PackedMatrix {
        let expected = [shape.outputCount, shape.inputCount]
        let (view, entry) = try tensor(name, shape: expected)
        let byteCount = PackedMatrix.packedByteCount(
            type: entry.type, outputCount: shape.outputCount, inputCount: shape.inputCount)
        guard view.bytes.count >= byteCount else {
            throw .damagedPackedFile(
                "tensor '\(name)' has \(view.bytes.count) bytes, expected \(byteCount)", file: path)
        }
        guard Int(bitPattern: view.bytes.baseAddress) % PackedFormat.alignment == 0 else {
            throw .damagedPackedFile("tensor '\(name)' is not aligned", file: path)
        }
        return PackedMatrix(
            mapped: UnsafeRawBufferPointer(rebasing: view.bytes[..<byteCount]), type: entry.type,
            outputCount: shape.outputCount, inputCount: shape.inputCount, owner: view.owner)
    }

    func vector(
        _ name: String, count: Int, slot: LinearSlot?
    ) throws(TransformerError) -> [Float] {
        let (view, entry) = try tensor(name, shape: [count])
        let byteCount = count * MemoryLayout<Float>.stride
        guard entry.type == .f32, view.bytes.count >= byteCount else {
            throw .damagedPackedFile("tensor '\(name)' is not F32 [\(count)]", file: path)
        }
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: view.bytes[..<byteCount]))
            initialized = count
        }
    }

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
