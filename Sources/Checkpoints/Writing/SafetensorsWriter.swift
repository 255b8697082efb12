internal import StrictJSON

/// Writes one safetensors file: tensors in the order given, straight from where their bytes lie.
///
/// Deterministic: the same tensors and metadata give the same file. The file appears under its name
/// only when it is complete and on the disk; on failure nothing is left behind.
public struct SafetensorsWriter {
    /// A tensor to write.
    public struct Tensor: Sendable, Equatable {
        public let name: String
        public let elementType: ElementType
        public let shape: [Int]

        public init(name: String, elementType: ElementType, shape: [Int]) {
            self.name = name
            self.elementType = elementType
            self.shape = shape
        }

        /// Bytes of the whole tensor.
        public var byteCount: Int {
            shape.reduce(1, *) / elementType.blockElementCount * elementType.blockByteCount
        }
    }

    /// Where the data begin: a multiple of this many bytes from the start of the file.
    public static let dataAlignment = 64

    private let tensors: [Tensor]
    private let metadata: [String: String]

    /// Plans a file.
    ///
    /// Data begin at a multiple of 64 bytes, and tensors follow each other without padding, as the
    /// format demands: where each one must be aligned, each size must be a multiple of the
    /// alignment.
    public init(tensors: [Tensor], metadata: [String: String] = [:]) {
        self.tensors = tensors
        self.metadata = metadata
    }

    /// Writes the file.
    ///
    /// - Parameters:
    /// - body: called with each tensor in order; it hands the tensor's bytes, in one piece or
    ///     several, to the sink.
    ///   - progress: called after each tensor with the share of bytes written, 0…1.
    /// - Throws: `CheckpointError.invalidTensor` when a name, a type or a size is not as planned,
    ///   or `.unwritable`; and what `body` throws.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in },
        _ body: (Tensor, inout TensorSink) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let header = try header(path)
        let totalByteCount = tensors.reduce(0) { $0 + $1.byteCount }
        var sink = TensorSink(output: try OutputFile(path: path))
        try sink.output.write(header)
        for tensor in tensors {
            let expectedEnd = sink.output.byteCount + tensor.byteCount
            try body(tensor, &sink)
            guard sink.output.byteCount == expectedEnd else {
                let found = sink.output.byteCount - expectedEnd + tensor.byteCount
                throw .invalidTensor(
                    tensor.name, reason: "needs \(tensor.byteCount) bytes, got \(found)", path: path
                )
            }
            if totalByteCount > 0 {
                progress(Double(sink.output.byteCount - header.count) / Double(totalByteCount))
            }
        }
        try sink.commit()
    }

    /// Writes tensors whose bytes all lie in memory; `regions` belong to `tensors` in order.
    public func write(
        to path: String, regions: [UnsafeRawBufferPointer], progress: (Double) -> Void = { _ in }
    ) throws(CheckpointError) {
        precondition(regions.count == tensors.count, "one region for each tensor")
        var index = 0
        try write(to: path, progress: progress) { (_, sink) throws(CheckpointError) in
            try sink.write(regions[index])
            index += 1
        }
    }

    /// Length, JSON and the spaces that align the data.
    private func header(_ path: String) throws(CheckpointError) -> [UInt8] {
        var object = JSONObject()
        if !metadata.isEmpty {
            var members = JSONObject()
            for key in metadata.keys.sorted() { members[key] = metadata[key].map(JSONValue.string) }
            object[SafetensorsHeader.metadataKey] = .object(members)
        }
        var begin = 0
        for tensor in tensors {
            try check(tensor, isNew: object[tensor.name] == nil, path)
            let end = begin + tensor.byteCount
            object[tensor.name] = .object([
                "dtype": .string(tensor.elementType.rawValue),
                "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                "data_offsets": .array([.integer(Int64(begin)), .integer(Int64(end))]),
            ])
            begin = end
        }
        var text = [UInt8](JSONValue.object(object).serialized().utf8)
        let lengthByteCount = SafetensorsHeader.lengthByteCount
        let excess = (text.count + lengthByteCount) % Self.dataAlignment
        if excess > 0 {
            text += [UInt8](repeating: 0x20, count: Self.dataAlignment - excess)
        }
        guard text.count <= SafetensorsHeader.maximumByteCount else {
            throw .unwritable(
                path: path,
                reason: "the header would have \(text.count) bytes, the format allows "
                    + "\(SafetensorsHeader.maximumByteCount)")
        }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
    }

    private func check(
        _ tensor: Tensor, isNew: Bool, _ path: String
    ) throws(CheckpointError) {
        guard isNew, tensor.name != SafetensorsHeader.metadataKey else {
            throw .invalidTensor(tensor.name, reason: "the name is taken", path: path)
        }
        guard SafetensorsEntryReader.isLegalName(tensor.name) else {
            throw .invalidTensor(tensor.name, reason: "invalid tensor name", path: path)
        }
        guard ElementType.safetensors.contains(tensor.elementType) else {
            throw .unsupportedElementType(
                tensor.elementType.rawValue, tensor: tensor.name,
                supported: ElementType.safetensors.map(\.rawValue).joined(separator: ", "),
                path: path)
        }
    }
}

/// Takes the bytes of tensors while a file is being written.
public struct TensorSink: ~Copyable {
    var output: OutputFile

    /// Appends bytes of the current tensor.
    ///
    /// - Throws: `CheckpointError.unwritable`.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        try output.write(bytes)
    }

    /// Appends bytes of the current tensor.
    public mutating func write(_ bytes: [UInt8]) throws(CheckpointError) {
        try output.write(bytes)
    }

    /// Appends zeros, to pad a tensor up to its planned size.
    public mutating func writeZeros(count: Int) throws(CheckpointError) {
        try output.write([UInt8](repeating: 0, count: count))
    }

    consuming func commit() throws(CheckpointError) { try output.commit() }
}
