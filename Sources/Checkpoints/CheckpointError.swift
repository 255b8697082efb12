/// Why a model file can't be opened, read or written.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    // Files
    case notFound(path: String)
    case unreadable(path: String, reason: String)
    case notRegularFile(path: String, found: String)
    case foreignFormat(path: String, found: String, expected: String)
    case missingFile(String, directory: String, hint: String)

    // Contents
    case malformed(path: String, reason: String)
    case invalidTensor(String, reason: String, path: String)
    case missingTensor(String, path: String)
    case unsupportedElementType(String, tensor: String, supported: String, path: String)
    case unsupportedArchitecture(String, supported: String, path: String)
    case unsupportedVersion(String, path: String)

    // Writing
    case outputExists(path: String)
    case unwritable(path: String, reason: String)

    public var description: String {
        switch self {
        case .notFound(let path): "\(path): no such file or directory"
        case .unreadable(let path, let reason): "\(path) can't be read: \(reason)"
        case .notRegularFile(let path, let found): "\(path) is \(found), not a regular file"
        case .foreignFormat(let path, let found, let expected):
            "\(path): this is \(found), not \(expected)"
        case .missingFile(let name, let directory, let hint):
            "\(directory) has no \(name)\(hint.isEmpty ? "" : "; \(hint)")"
        case .malformed(let path, let reason): "\(path): \(reason)"
        case .invalidTensor(let name, let reason, let path):
            "\(path): tensor '\(Self.shown(name))': \(reason)"
        case .missingTensor(let name, let path): "\(path) has no tensor '\(Self.shown(name))'"
        case .unsupportedElementType(let type, let tensor, let supported, let path):
            "\(path): tensor '\(Self.shown(tensor))' has type \(type); supported are \(supported)"
        case .unsupportedArchitecture(let name, let supported, let path):
            "\(path): architecture '\(Self.shown(name))' is not supported as a base; supported are \(supported)"
        case .unsupportedVersion(let found, let path): "\(path): \(found)"
        case .outputExists(let path):
            "\(path) exists already; remove it or choose another place for the output"
        case .unwritable(let path, let reason): "\(path) can't be written: \(reason)"
        }
    }

    /// A name from a file, cut and without control characters, as it suits one line.
    package static func shown(_ name: String) -> String {
        let visible = name.unicodeScalars.prefix(120).map { scalar -> Character in
            scalar.value < 0x20 || scalar.value == 0x7F ? "�" : Character(scalar)
        }
        return String(visible) + (name.unicodeScalars.count > 120 ? "…" : "")
    }
}
