internal import StrictJSON

/// The header of a safetensors file: which tensor lies where.
///
///     [u64: header length N, little-endian] [N bytes: JSON] [tensor data …]
struct SafetensorsHeader {
    /// One tensor; offsets count from the beginning of the data.
    struct Entry {
        let name: String
        let elementType: ElementType
        let shape: [Int]
        let begin: Int
        let end: Int
    }

    static let lengthByteCount = 8
    static let maximumByteCount = CheckpointLimits.safetensorsHeaderByteCount
    static let maximumTensorCount = CheckpointLimits.tensorCount
    static let metadataKey = "__metadata__"

    /// In the order of their data.
    let entries: [Entry]
    let metadata: [String: String]
    /// Where the data begin, from the start of the file.
    let dataOffset: Int

    init(_ file: MappedFile) throws(CheckpointError) {
        let text = try file.copy(of: Self.text(file))
        let object = try withExtendedLifetime(text) { () throws(CheckpointError) in
            try Self.object(text.bytes, file.path)
        }
        dataOffset = Self.lengthByteCount + text.bytes.count
        metadata = try Self.metadata(object, file.path)
        let tensorCount = object.count - (object[Self.metadataKey] == nil ? 0 : 1)
        guard tensorCount <= Self.maximumTensorCount else {
            throw .malformed(
                path: file.path,
                reason: "too many tensors: \(tensorCount), the limit is \(Self.maximumTensorCount)")
        }
        var entries: [Entry] = []
        entries.reserveCapacity(tensorCount)
        for (name, value) in object where name != Self.metadataKey {
            entries.append(
                try SafetensorsEntryReader(name: name, path: file.path).entry(value))
        }
        entries.sort { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
        try Self.checkTiling(entries, dataByteCount: file.bytes.count - dataOffset, file.path)
        self.entries = entries
    }

    /// The bytes of the JSON text.
    private static func text(_ file: MappedFile) throws(CheckpointError) -> UnsafeRawBufferPointer {
        let beginning = try file.beginning()
        do throws(CheckpointError) {
            let range = try withExtendedLifetime(beginning) { () throws(CheckpointError) in
                try textRange(beginning.bytes, fileByteCount: file.bytes.count, file.path)
            }
            return UnsafeRawBufferPointer(rebasing: file.bytes[range])
        } catch {
            // The bytes of another format read as an absurd length; say what it is instead.
            switch try FileFormat(file) {
            case .gguf:
                throw .foreignFormat(path: file.path, found: "a GGUF file", expected: "safetensors")
            case .foreign(let noun):
                throw .foreignFormat(path: file.path, found: noun, expected: "safetensors")
            case .unmarked: throw error
            }
        }
    }

    private static func textRange(
        _ bytes: UnsafeRawBufferPointer, fileByteCount: Int, _ path: String
    ) throws(CheckpointError) -> Range<Int> {
        guard bytes.count >= lengthByteCount else {
            throw .malformed(
                path: path,
                reason: "truncated: need 8-byte header length, file has \(bytes.count)")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length > 0 else { throw .malformed(path: path, reason: "empty header") }
        guard length <= UInt64(maximumByteCount) else {
            throw .malformed(
                path: path, reason: "header length \(length) exceeds limit \(maximumByteCount)")
        }
        let remaining = fileByteCount - lengthByteCount
        guard length <= UInt64(remaining) else {
            throw .malformed(
                path: path, reason: "header length \(length) exceeds remaining \(remaining) bytes")
        }
        return lengthByteCount..<(lengthByteCount + Int(length))
    }

    private static func object(
        _ text: UnsafeRawBufferPointer, _ path: String
    ) throws(CheckpointError) -> JSONObject {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: text)
        } catch {
            throw .malformed(path: path, reason: reason(error))
        }
        guard let object = value.objectValue else {
            throw .malformed(
                path: path, reason: "header is not a JSON object but \(value.typeName)")
        }
        return object
    }

    private static func reason(_ error: JSONError) -> String {
        switch error {
        case .byteOrderMark: "header has BOM"
        case .invalidUTF8(let offset): "header is not UTF-8 (byte \(offset))"
        case .duplicateKey(let key, _): "duplicate tensor or field '\(CheckpointError.shown(key))'"
        case .nulInKey(let offset): "invalid tensor name: NUL character (byte \(offset))"
        case .tooDeep, .badEscape, .unpairedSurrogate: "header has \(error)"
        default: "header is not a JSON object (\(error))"
        }
    }

    private static func metadata(
        _ object: JSONObject, _ path: String
    ) throws(CheckpointError) -> [String: String] {
        guard let value = object[metadataKey] else { return [:] }
        guard let members = value.objectValue else {
            throw .malformed(
                path: path, reason: "\(metadataKey) is \(value.typeName), not an object of strings")
        }
        var metadata: [String: String] = [:]
        for (key, value) in members {
            guard let text = value.stringValue else {
                throw .malformed(
                    path: path,
                    reason: "metadata values must be strings, "
                        + "'\(CheckpointError.shown(key))' is \(value.typeName)")
            }
            metadata[key] = text
        }
        return metadata
    }

    /// The tensors must fill the data exactly: no hole, no overlap, nothing before or after.
    private static func checkTiling(
        _ entries: [Entry], dataByteCount: Int, _ path: String
    ) throws(CheckpointError) {
        var expected = 0
        for entry in entries {
            guard entry.begin == expected else {
                throw .invalidTensor(
                    entry.name, reason: "begins at \(entry.begin), expected \(expected)", path: path
                )
            }
            expected = entry.end
        }
        if expected > dataByteCount {
            throw .malformed(
                path: path, reason: "data ends \(expected - dataByteCount) bytes early")
        }
        if expected < dataByteCount {
            throw .malformed(
                path: path, reason: "\(dataByteCount - expected) bytes after last tensor")
        }
    }
}
