/// Adapters that mix others, their experts, which lie in directories of their own beside them.
enum Mixture {
    /// One of the adapters that are mixed.
    struct Expert: Sendable {
        /// As the mixture's configuration has it.
        let name: String
        let file: AdapterFile
    }

    /// Configurations of mixtures that PEFT has no file of its own for, and what they are of.
    private static let configurations = [Arrow.configurationName: Arrow.peftType]

    /// Names that a directory of such an adapter may hold.
    static var fileNames: [String] { configurations.keys.sorted() }

    /// The mixture of a directory without `adapter_config.json`; nil where it isn't one.
    ///
    /// - Parameter directory: with a slash at its end.
    /// - Throws: `AdapterError` for one that is, and is damaged or incomplete.
    static func open(
        directory: String, _ reader: FileReader, _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> AdapterFile? {
        for (name, peftType) in configurations
        where try reader.kind(of: directory + name) != .missing {
            let text = try reader.bytes(
                of: directory + name, limit: AdapterConfiguration.byteCountLimit)
            let file = try AdapterFile(
                configurationText: text, configurationFile: directory + name,
                tensorFile: directory, tensors: [], extent: extent, peftType: peftType)
            return file.adding(try experts(of: file, directory, reader, extent))
        }
        return nil
    }

    /// The experts that a configuration names; none for adapters that are no mixtures.
    ///
    /// - Parameter directory: of the mixture, with a slash at its end.
    /// - Throws: `AdapterError.invalidSetting` where one isn't there, and what is wrong with one.
    static func experts(
        of file: AdapterFile, _ directory: String, _ reader: FileReader,
        _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> [Expert] {
        var experts: [Expert] = []
        for place in try places(of: file) {
            let paths = place.paths.map { $0.hasPrefix("/") ? $0 : directory + $0 }
            experts.append(
                Expert(
                    name: place.name,
                    file: try open(paths, of: place, in: file.configuration.file, reader, extent)))
        }
        return experts
    }

    /// Where an expert may lie: the first path that holds an adapter counts.
    struct Place {
        /// The setting that names it.
        let setting: String
        let name: String
        /// Relative to the mixture's directory.
        let paths: [String]
    }

    private static func places(of file: AdapterFile) throws(AdapterError) -> [Place] {
        switch file.peftType {
        case Arrow.peftType: try Arrow.places(file.configuration)
        case XLoRA.peftType: try XLoRA.places(file.configuration)
        default: []
        }
    }

    private static func open(
        _ paths: [String], of place: Place, in file: String, _ reader: FileReader,
        _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> AdapterFile {
        for path in paths
        where try reader.kind(of: path + "/" + AdapterFile.configurationName) != .missing {
            return try AdapterFile.openPEFT(path, reader, extent)
        }
        throw .invalidSetting(
            place.setting, value: "\"\(place.name)\"",
            expected: "directories of PEFT adapters: there is none at \(paths[0])", file: file)
    }
}
