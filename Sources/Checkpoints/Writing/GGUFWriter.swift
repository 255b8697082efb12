/// Writes one GGUF file, version 3: keys, then tensors in the order given.
///
/// Deterministic, and the file appears under its name only when it is complete and on the disk.
///
/// Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
public struct GGUFWriter {
    /// A value of the key-value section.
    public enum Value: Sendable, Equatable {
        case text(String)
        case float(Float)
        case count(UInt32)
    }

    /// A tensor to write.
    public struct Tensor: Sendable {
        public let name: String
        public let elementType: ElementType
        /// Row-major, slowest dimension first (the file stores the reverse).
        public let shape: [Int]
        public let bytes: [UInt8]

        public init(name: String, elementType: ElementType, shape: [Int], bytes: [UInt8]) {
            self.name = name
            self.elementType = elementType
            self.shape = shape
            self.bytes = bytes
        }
    }

    private static let alignment = GGUFValues.defaultAlignment

    private let keys: [(String, Value)]
    private let tensors: [Tensor]

    public init(keys: [(String, Value)], tensors: [Tensor]) {
        self.keys = keys
        self.tensors = tensors
    }

    /// Writes the file, replacing what was there.
    ///
    /// - Throws: `CheckpointError.invalidTensor` for names, types and sizes that GGUF doesn't have,
    ///   `.unwritable`.
    public func write(to path: String) throws(CheckpointError) {
        var output = try OutputFile(path: path)
        try output.write(try header(path))
        for tensor in tensors {
            try output.write(tensor.bytes)
            try output.write([UInt8](repeating: 0, count: Self.padding(tensor.bytes.count)))
        }
        try output.commit()
    }

    private func header(_ path: String) throws(CheckpointError) -> [UInt8] {
        var bytes = GGUFFile.magic
        Self.append(UInt32(3), to: &bytes)
        Self.append(UInt64(tensors.count), to: &bytes)
        Self.append(UInt64(keys.count), to: &bytes)
        for (key, value) in keys {
            Self.append(key, to: &bytes)
            Self.append(value, to: &bytes)
        }
        var offset = 0
        for tensor in tensors {
            try append(tensor, offset: offset, to: &bytes, path)
            offset += tensor.bytes.count + Self.padding(tensor.bytes.count)
        }
        return bytes + [UInt8](repeating: 0, count: Self.padding(bytes.count))
    }

    private func append(
        _ tensor: Tensor, offset: Int, to bytes: inout [UInt8], _ path: String
    ) throws(CheckpointError) {
        let planned = SafetensorsWriter.Tensor(
            name: tensor.name, elementType: tensor.elementType, shape: tensor.shape)
        guard (1...GGUFReader.maximumTensorNameByteCount).contains(tensor.name.utf8.count),
            tensor.shape.count <= GGUFReader.maximumDimensionCount,
            planned.byteCount == tensor.bytes.count,
            let type = GGUFTensorType.number(of: tensor.elementType)
        else {
            throw .invalidTensor(
                tensor.name, reason: "GGUF has no tensor of this name, type and shape", path: path)
        }
        Self.append(tensor.name, to: &bytes)
        Self.append(UInt32(tensor.shape.count), to: &bytes)
        for dimension in tensor.shape.reversed() { Self.append(UInt64(dimension), to: &bytes) }
        Self.append(type, to: &bytes)
        Self.append(UInt64(offset), to: &bytes)
    }

    private static func append(_ value: Value, to bytes: inout [UInt8]) {
        switch value {
        case .text(let text):
            append(GGUFValueType.string.rawValue, to: &bytes)
            append(text, to: &bytes)
        case .float(let number):
            append(GGUFValueType.float32.rawValue, to: &bytes)
            append(number.bitPattern, to: &bytes)
        case .count(let number):
            append(GGUFValueType.uint32.rawValue, to: &bytes)
            append(number, to: &bytes)
        }
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        append(UInt64(text.utf8.count), to: &bytes)
        bytes += Array(text.utf8)
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes += Array($0) }
    }

    private static func padding(_ byteCount: Int) -> Int {
        (alignment - byteCount % alignment) % alignment
    }
}
