public import Transformer

/// Why an adapter can't be read, selected, merged or written.
public enum AdapterError: Error, Equatable, Sendable, CustomStringConvertible {
    // Files
    case notFound(path: String)
    case notAnAdapter(path: String, found: String)
    case notRegularFile(path: String, found: String)
    /// A client's path, outside the directory that it may load from; which that is, isn't its
    /// business.
    case outsideRoot(path: String)
    case outsideMixture(path: String, mixture: String)
    case unreadable(path: String, reason: String)
    case tooLarge(path: String, byteCount: Int, limit: Int)
    case changedWhileReading(path: String)
    case pickle(path: String)
    /// A whole sentence of the module that reads the format.
    case damagedFile(String)

    // Configuration
    case configuration(file: String, reason: String)
    case missingSetting(String, file: String)
    case invalidSetting(String, value: String, expected: String, file: String)
    case unsupportedSetting(String, value: String, reason: String, file: String)
    case unknownSetting(String, value: String, file: String)
    case unknownMethod(String, supported: [String], file: String)
    case invalidPattern(setting: String, pattern: String, reason: String, file: String)
    case noTargetMatched(setting: String, value: String, modules: String, file: String)
    case unsupportedTarget(module: String, setting: String, reason: String, file: String)

    // Tensors
    case unknownTensor(String, reason: String, file: String)
    case missingTensor(String, reason: String, file: String)
    case wrongShape(tensor: String, expected: [Int], found: [Int], reason: String, file: String)
    case unsupportedType(tensor: String, found: String, supported: String, file: String)
    case invalidValues(tensor: String, reason: String, file: String)
    case notFinite(tensor: String, count: Int, first: [Int], file: String)

    // Registry
    case invalidName(String, reason: String)
    case unknownAdapter(String, loaded: [String])
    /// An adapter is loaded whose name is another spelling of this in Unicode.
    case unknownSpelling(String)
    case invalidWeight(adapter: String, weight: Float)
    case repeatedSelection(String)
    case combination(CombinationError)
    case twoTokenizers(String, String)
    case merge(MergeError)
    case notMerged(String)
    case replacedMeanwhile(String)
    /// A lease was given up before it was there.
    case cancelled
    /// An idle adapter can't come back: its files are not what they were.
    case changedSinceRegistered(name: String, path: String)
    /// It takes more memory than adapters may take in all.
    case memoryExceeded(what: String, byteCount: Int, limit: Int)
    /// It takes more memory than requests in flight leave.
    case memoryInUse(what: String, byteCount: Int, free: Int)

    // Writing
    case outputExists(path: String)
    case unwritable(path: String, reason: String)
    case unmergeable(adapter: String, module: String, reason: String)

    // Tools
    /// Adapters that can't become one; the reason is a whole clause.
    case uncombinable(adapter: String, reason: String)
    /// Two checkpoints whose difference is no adapter.
    case unextractable(module: String, reason: String)
    /// A file that can't be said in another format.
    case unconvertible(path: String, reason: String)

    /// What kind of failure it is, for codes and exit statuses.
    public enum Kind: Sendable, Equatable {
        /// No adapter has the name.
        case unknownName
        /// The adapter's files are at fault.
        case invalidAdapter
        /// The adapters, or their weights, can't be used together.
        case incompatible
        /// The request itself is at fault.
        case badRequest
        /// The machine's file system refused.
        case unwritable
    }

    public var kind: Kind {
        switch self {
        case .unknownAdapter, .unknownSpelling: .unknownName
        case .combination, .twoTokenizers, .merge, .unmergeable, .uncombinable, .unextractable,
            .unconvertible, .memoryExceeded, .memoryInUse:
            .incompatible
        case .invalidName, .invalidWeight, .repeatedSelection, .notMerged, .replacedMeanwhile,
            .cancelled:
            .badRequest
        case .outputExists, .unwritable: .unwritable
        default: .invalidAdapter
        }
    }

    public var description: String {
        fileDescription ?? configurationDescription ?? tensorDescription ?? toolDescription
            ?? registryDescription
    }
}
