/// Writes one GGUF file: keys, then tensors in the order given.
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

        public init(name: String, elementType: ElementType, shape: [Int]) {
            self.name = name
            self.elementType = elementType
            self.shape = shape
        }

        /// Bytes of the whole tensor.
        public var byteCount: Int {
            SafetensorsWriter.Tensor(name: name, elementType: elementType, shape: shape).byteCount
        }
    }

    private let version: UInt32
    private let alignment: Int
    private let keyCount: Int
    /// The key-value section as it stands in the file.
    private let keys: [UInt8]
    private let tensors: [Tensor]

    /// Plans a file of version 3 with keys of its own.
    public init(keys: [(String, Value)], tensors: [Tensor]) {
        version = 3
        alignment = GGUFValues.defaultAlignment
        keyCount = keys.count
        self.keys = keys.flatMap { Self.bytes($0.0) + Self.bytes($0.1) }
        self.tensors = tensors
    }

    /// Plans a file with the keys of another, byte for byte, and its version and alignment. What a
    /// split model says of its parts is left out.
    public init(keysOf file: GGUFFile, tensors: [Tensor]) {
        version = file.version
        alignment = file.alignment
        (keyCount, keys) = file.wholeKeys
        self.tensors = tensors
    }

    /// Writes the file, replacing what was there.
    ///
    /// - Parameters:
    ///   - progress: called after each tensor with the share of bytes written, 0…1.
    ///   - content: the bytes of each tensor, asked for in order.
    /// - Throws: `CheckpointError.invalidTensor` for names, types and sizes that GGUF doesn't have,
    ///   `.unwritable`; and what `content` throws. Nothing is left behind then.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in },
        content: (Tensor) throws(CheckpointError) -> [UInt8]
    ) throws(CheckpointError) {
        var output = try OutputFile(path: path)
        let header = try header(path)
        try output.write(header)
        let totalByteCount = tensors.reduce(1) { $0 + $1.byteCount }
        for tensor in tensors {
            let bytes = try content(tensor)
            guard bytes.count == tensor.byteCount else {
                throw .invalidTensor(
                    tensor.name, reason: "needs \(tensor.byteCount) bytes, got \(bytes.count)",
                    path: path)
            }
            try output.write(bytes)
            try output.write([UInt8](repeating: 0, count: padding(bytes.count)))
            progress(Double(output.byteCount - header.count) / Double(totalByteCount))
        }
        try output.commit()
    }

    private func header(_ path: String) throws(CheckpointError) -> [UInt8] {
        var bytes =
            GGUFFile.magic + Self.bytes(version) + Self.bytes(UInt64(tensors.count))
            + Self.bytes(UInt64(keyCount)) + keys
        var offset = 0
        for tensor in tensors {
            bytes += try description(of: tensor, offset: offset, path)
            offset += tensor.byteCount + padding(tensor.byteCount)
        }
        return bytes + [UInt8](repeating: 0, count: padding(bytes.count))
    }

    private func description(
        of tensor: Tensor, offset: Int, _ path: String
    ) throws(CheckpointError) -> [UInt8] {
        guard (1...GGUFReader.maximumTensorNameByteCount).contains(tensor.name.utf8.count),
            tensor.shape.count <= GGUFReader.maximumDimensionCount,
            (tensor.shape.last ?? 1) % tensor.elementType.blockElementCount == 0,
            let type = GGUFTensorType.number(of: tensor.elementType)
        else {
            throw .invalidTensor(
                tensor.name, reason: "GGUF has no tensor of this name, type and shape", path: path)
        }
        return Self.bytes(tensor.name) + Self.bytes(UInt32(tensor.shape.count))
            + tensor.shape.reversed().flatMap { Self.bytes(UInt64($0)) } + Self.bytes(type)
            + Self.bytes(UInt64(offset))
    }

    private static func bytes(_ value: Value) -> [UInt8] {
        switch value {
        case .text(let text): bytes(GGUFValueType.string.rawValue) + bytes(text)
        case .float(let number): bytes(GGUFValueType.float32.rawValue) + bytes(number.bitPattern)
        case .count(let number): bytes(GGUFValueType.uint32.rawValue) + bytes(number)
        }
    }

    private static func bytes(_ text: String) -> [UInt8] {
        bytes(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    private func padding(_ byteCount: Int) -> Int {
        (alignment - byteCount % alignment) % alignment
    }
}
