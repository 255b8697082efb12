internal import StrictJSON

/// What an AdapterHub configuration says about every method.
struct AdapterHubSettings {
    /// The method's own settings.
    var configuration: AdapterConfiguration
    /// The name that stands in the names of all tensors.
    let name: String
    let hiddenSize: JSONValue?
    /// Whether the file says which version of which library saved it.
    let hasVersion: Bool
    /// What it says for this library.
    private let version: String?
    /// True for a method that is the whole adapter, false for a part of a union.
    var isWhole = true
    /// What the file says of its base, and what nobody knows.
    var origin: ForeignOrigin

    /// - Throws: `AdapterError.missingSetting` without a name, `.invalidSetting` for a size or a
    ///   version that is none.
    init(_ whole: AdapterConfiguration) throws(AdapterError) {
        guard let name = whole.object["name"]?.stringValue else {
            throw .missingSetting("name", file: whole.file)
        }
        self.name = name
        hiddenSize = whole.object["hidden_size"]
        hasVersion = whole.object["version"] != nil
        let text = whole.object["version"]?.stringValue ?? ""
        let prefix = "adapters."
        version = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
        origin = try Self.origin(whole)
        configuration = AdapterConfiguration(
            whole.object["config"]?.objectValue ?? [:], file: whole.file)
    }

    /// Whether releases before 1.1.0 of the library trained it, with a scaling of 1 whatever its
    /// settings say. The library goes by it for a method alone, not for parts of a union.
    ///
    /// - Throws: `AdapterError.invalidSetting` for what is no version: the library fails there.
    func hasFaultyAlpha() throws(AdapterError) -> Bool {
        guard let version, isWhole else { return false }
        guard let release = PythonVersion(version) else {
            throw .invalidSetting(
                "version", value: "\"adapters.\(version)\"",
                expected: "a version of the library, for example \"adapters.1.3.0\"",
                file: configuration.file)
        }
        return release.precedes([1, 1, 0])
    }

    private static func origin(
        _ whole: AdapterConfiguration
    ) throws(AdapterError) -> ForeignOrigin {
        var origin = ForeignOrigin(file: whole.file)
        var whole = whole
        if let count = try whole.optionalCount("hidden_size", limit: 1 << 31) {
            origin.claims.append(.init(name: "hidden_size", meaning: .measure(.hiddenSize, count)))
        }
        if let type = try whole.text("model_type"), !type.isEmpty {
            origin.claims.append(.init(name: "model_type", meaning: .modelType(type)))
        }
        origin.addUnknown(in: whole.object, of: AdapterHub.wholeTable)
        return origin
    }

    /// Splits a tensor's name at the adapter's own.
    ///
    /// - Parameter kind: what the library calls the collection of such adapters, for example
    ///   `loras`.
    /// - Returns: the module and the part behind the name; nil for names of another kind.
    func split(_ tensor: AdapterTensor, _ kind: String) -> (module: String, part: String)? {
        let parts = tensor.name.split(
            separator: ".\(kind).\(name).", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        // Saved from a model without a head, names lack its first part.
        let module = String(parts[0])
        return (module.hasPrefix("layers.") ? "model." + module : module, String(parts[1]))
    }

    /// Splits the name of a tensor that layers share; nil for names of another kind.
    func splitShared(_ tensor: AdapterTensor) -> (module: String, part: String)? {
        let module = "model.shared_parameters"
        for prefix in ["model.", ""]
        where tensor.name.hasPrefix("\(prefix)shared_parameters.\(name).") {
            return (
                module, String(tensor.name.dropFirst("\(prefix)shared_parameters.\(name).".count))
            )
        }
        return nil
    }
}
