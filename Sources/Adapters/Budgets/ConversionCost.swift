internal import Checkpoints
internal import StrictJSON

/// What saying another library's adapter in PEFT's terms takes of memory at most: its files are
/// read whole for it, before anything else is known of the adapter.
///
/// Of safetensors the header tells; of what `torch.save` wrote, the file's length.
struct ConversionCost {
    /// A file that is read whole, and the settings that say what it is.
    private typealias Source = (file: String, settings: JSONObject)

    /// What values become: f32, and once more in the order of PEFT.
    private static let widenedCopyCount = 2
    /// The narrowest values that are read.
    private static let narrowestByteCount = 2

    private let reader: FileReader
    private(set) var byteCount = 0

    /// - Returns: nil for an adapter that a header or its configuration tells all about.
    /// - Throws: `AdapterError` for files that can't be read, and damaged headers.
    static func of(_ path: String, options: AdapterOptions) throws(AdapterError) -> LoadCost? {
        var cost = ConversionCost(reader: FileReader(root: options.root))
        for source in try cost.sources(of: path) { try cost.add(source) }
        guard cost.byteCount > 0 else { return nil }
        return LoadCost(temporaryByteCount: cost.byteCount)
    }

    private init(reader: FileReader) { self.reader = reader }

    private func sources(of path: String) throws(AdapterError) -> [Source] {
        switch try reader.kind(of: path) {
        case .regular: return try sources(ofFile: path)
        case .directory:
            let directory = FilePath.asDirectory(path)
            // A mixture that can't be read has no experts; reading it says what is wrong.
            let experts = (try? Mixture.expertDirectories(of: directory, reader)) ?? []
            var sources: [Source] = []
            for place in [directory] + experts { sources += try self.sources(in: place) }
            return sources
        case .missing, .other: return []
        }
    }

    private func sources(ofFile path: String) throws(AdapterError) -> [Source] {
        guard try !reader.isPickle(path), try !ForeignAdapter.isGGUF(path, reader) else {
            return []
        }
        let content = try SafetensorsContent(checkingHeaderOf: path, reader)
        return content.metadata[AdapterFile.configurationKey] == nil ? [(path, JSONObject())] : []
    }

    /// - Parameter directory: with a slash at its end.
    private func sources(in directory: String) throws(AdapterError) -> [Source] {
        let settingsFile = directory + AdapterFile.configurationName
        guard try reader.kind(of: settingsFile) != .missing else {
            let names = [Loralib.tensorName, PrefixEncoder.tensorName]
            let isMixture = try reader.first(of: Mixture.fileNames, in: directory) != nil
            let file = isMixture ? nil : try reader.first(of: names, in: directory)
            return file.map { [($0, JSONObject())] } ?? []
        }
        guard try reader.kind(of: directory + AdapterFile.tensorName) == .missing else { return [] }
        let settings = try AdapterConfiguration(
            parsing: reader.bytes(of: settingsFile, limit: AdapterConfiguration.byteCountLimit),
            file: settingsFile)
        guard AdapterHub.describes(settings) else { return [] }
        var sources: [Source] = []
        for names in [AdapterHub.tensorNames, AdapterHub.headNames] {
            if let file = try reader.first(of: names, in: directory) {
                sources.append((file, settings.object))
            }
        }
        return sources
    }

    private mutating func add(_ source: Source) throws(AdapterError) {
        let fileByteCount = try reader.stamp(of: source.file)?.byteCount ?? 0
        let values: Int
        if try reader.isPickle(source.file) {
            values = fileByteCount / Self.narrowestByteCount
            byteCount +=
                3
                * Self.projectedByteCount(
                    tokenCount: Self.prefixLength(source.settings), width: values)
        } else {
            let content = try SafetensorsContent(checkingHeaderOf: source.file, reader)
            values = content.tensors.reduce(0) { $0 + $1.valueCount }
            byteCount += 3 * Self.projectedByteCount(content.tensors)
        }
        byteCount += fileByteCount + Self.widenedCopyCount * MemoryLayout<Float>.stride * values
    }

    /// What the network of a prefix makes: rows of the last matrix for each token.
    private static func projectedByteCount(_ tensors: [AdapterTensor]) -> Int {
        func rows(_ endings: [String]) -> Int {
            tensors.filter { tensor in endings.contains { tensor.name.hasSuffix($0) } }
                .compactMap(\.shape.first).max() ?? 0
        }
        return projectedByteCount(
            tokenCount: rows(["embedding.weight", "wte.weight"]),
            width: rows(["trans.0.weight", "trans.2.weight"]))
    }

    /// More is refused by `PrefixEncoder.checkCount`.
    private static func projectedByteCount(tokenCount: Int, width: Int) -> Int {
        let count = CheckedArithmetic.product(tokenCount, width) ?? .max
        return MemoryLayout<Float>.stride * min(count, PrefixEncoder.valueCountLimit)
    }

    /// Tokens of AdapterHub's prefix, alone or in a union; 0 for other methods.
    private static func prefixLength(_ settings: JSONObject) -> Int {
        let method = settings["config"]?.objectValue ?? [:]
        let parts = [method] + (method["configs"]?.arrayValue?.compactMap(\.objectValue) ?? [])
        return parts.filter { $0["architecture"] == .string("prefix_tuning") }
            .compactMap { $0["prefix_length"]?.intValue }.filter { $0 > 0 }.max() ?? 0
    }
}
