import Foundation

/// Files as a user would hand them over, by their names within one directory.
public struct FuzzInput: Sendable {
    public var files: [String: [UInt8]]

    public init(_ files: [String: [UInt8]]) { self.files = files }

    public var byteCount: Int { files.values.reduce(0) { $0 + $1.count } }

    /// Writes the files into an empty directory.
    public func write(to directory: String) throws {
        for (name, bytes) in files {
            let url = URL(fileURLWithPath: directory + "/" + name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: url)
        }
    }

    /// What `write` wrote.
    public init(directory: String) throws {
        files = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory).sorted() {
            var isDirectory: ObjCBool = false
            let path = directory + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
                !isDirectory.boolValue
            else { continue }
            files[name] = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }
}

/// A reader that must take every input: it reads, or it throws one of the program's errors. It may
/// not end the process, hang, or take memory without measure.
public protocol FuzzTarget {
    static var name: String { get }
    /// Real inputs, which are read.
    var seedCount: Int { get }
    func seed(_ index: Int) -> FuzzInput
    /// An input that is nearly one of the seeds.
    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput
    /// Reads an input that lies in `directory`.
    ///
    /// - Throws: an error of the program where the input is refused.
    func read(_ directory: String) throws
}

extension FuzzTarget {
    /// An input that is nearly one of the seeds.
    public func mutant(_ random: inout SplitMix) -> FuzzInput {
        mutant(of: random.below(seedCount), &random)
    }
}

/// All targets by name; each is made when it is asked for, since seeds take a moment to read.
public enum FuzzTargets {
    public static let names = [
        SafetensorsTarget.name, AdapterConfigurationTarget.name, PickleTarget.name,
        GGUFTarget.name, GGUFAdapterTarget.name, TokenizerJSONTarget.name,
        SentencePieceTarget.name, BaseConfigurationTarget.name, PackedModelTarget.name,
        LineTarget.name,
    ]

    /// - Parameter checkout: the repository's root, where the seeds are.
    public static func make(_ name: String, checkout: String) throws -> (any FuzzTarget)? {
        switch name {
        case SafetensorsTarget.name: try SafetensorsTarget(checkout: checkout)
        case AdapterConfigurationTarget.name: try AdapterConfigurationTarget(checkout: checkout)
        case PickleTarget.name: try PickleTarget(checkout: checkout)
        case GGUFTarget.name: try GGUFTarget(checkout: checkout)
        case GGUFAdapterTarget.name: try GGUFAdapterTarget(checkout: checkout)
        case TokenizerJSONTarget.name: try TokenizerJSONTarget(checkout: checkout)
        case SentencePieceTarget.name: try SentencePieceTarget(checkout: checkout)
        case BaseConfigurationTarget.name: try BaseConfigurationTarget(checkout: checkout)
        case PackedModelTarget.name: try PackedModelTarget(checkout: checkout)
        case LineTarget.name: try LineTarget(checkout: checkout)
        default: nil
        }
    }
}

/// Seeds in the checkout.
struct Checkout {
    let root: String

    func bytes(_ path: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: root + "/" + path)))
    }

    /// Sub-directories that hold a file, sorted.
    func folders(of folder: String, with file: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root + "/" + folder)
            .filter { ($0 as NSString).lastPathComponent == file }
            .map { folder + "/" + ($0 as NSString).deletingLastPathComponent }.sorted()
    }
}
