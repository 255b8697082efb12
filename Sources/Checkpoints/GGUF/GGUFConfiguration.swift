internal import StrictJSON

/// Writes the `config.json` that Hugging Face would have for the model in a GGUF file.
struct GGUFConfiguration {
    private let file: GGUFFile
    private let architecture: any GGUFArchitecture.Type
    private let table: KeyTable

    /// - Throws: `CheckpointError`, which names the key that is missing, wrong or refused.
    init(_ file: GGUFFile) throws(CheckpointError) {
        if let type = try file.values.text("general.type"), type != "model" {
            throw .foreignFormat(
                path: file.path,
                found: "a GGUF file of type '\(CheckpointError.shown(type))'",
                expected: "a base model")
        }
        guard let name = try file.values.text("general.architecture") else {
            throw .malformed(path: file.path, reason: "'general.architecture' is missing")
        }
        guard let architecture = GGUFArchitectures.named(name) else {
            throw .unsupportedArchitecture(
                name, supported: GGUFArchitectures.names.joined(separator: ", "), path: file.path)
        }
        self.file = file
        self.architecture = architecture
        table = GGUFKeys.table(of: architecture)
        let settings = GGUFSettings(file: file, architecture: name)
        if let expertCount = try settings.count("expert_count"), expertCount > 0 {
            throw .unsupportedArchitecture(
                "\(name) with \(expertCount) experts", supported: "dense models", path: file.path)
        }
        if let (key, value, entry) = table.firstRefused(in: generalKeys) {
            throw .malformed(
                path: file.path,
                reason: "key '\(stored(key))' is \(value.serialized()), and can't be served: "
                    + entry.note)
        }
    }

    /// What the user should know of the file.
    var warnings: [String] {
        let unknown = generalKeys.keys.filter { table.entry(of: $0) == nil }.map(stored)
        return [table.warning(aboutUnknown: unknown, path: file.path)].compactMap(\.self)
    }

    var layout: StoredLayout { architecture.layout }

    /// The file's names of tensors.
    private var names: GGUFTensorNames {
        architecture.tensorNames { file.storedType(of: $0) != nil }
    }

    /// The file's tensors under Hugging Face's names.
    func tensors() throws(CheckpointError) -> TranslatedGGUF {
        let settings = GGUFSettings(file: file, architecture: architecture.name)
        return try TranslatedGGUF(
            file, names, projectionRowCounts: settings.projectionRowCounts())
    }

    func object() throws(CheckpointError) -> JSONObject {
        var settings = GGUFSettings(
            file: file, architecture: architecture.name,
            object: [
                "architectures": .array([.string(architecture.className)]),
                "model_type": .string(architecture.modelTypes[0]),
            ])
        try architecture.fill(&settings)
        return settings.object
    }

    /// All keys as the table of keys spells them, arrays without their elements.
    private var generalKeys: JSONObject {
        var keys = JSONObject()
        for key in file.values.keys {
            keys[GGUFKeys.general(key, architecture: architecture.name)] = file.values.plain(key)
        }
        return keys
    }

    private func stored(_ key: String) -> String {
        key.hasPrefix("{arch}.") ? architecture.name + key.dropFirst("{arch}".count) : key
    }
}
