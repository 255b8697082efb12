internal import Checkpoints

/// Adapters that mix others, their experts, which lie in directories of their own below them.
///
/// An expert lies inside the mixture's directory, links followed: what a configuration names
/// elsewhere isn't read, whoever wrote it.
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
        for name in fileNames where try reader.kind(of: directory + name) != .missing {
            let tensors = AdapterFile.tensorNames + ForeignAdapter.fileNames
            if let stray = try reader.first(of: tensors, in: directory) {
                throw .configuration(
                    file: directory + name,
                    reason: "its experts are all that it is made of, and \(stray) beside it would "
                        + "be left out: move that file to a directory of its own")
            }
            let file = try AdapterFile(
                configurationText: try configurationText(directory + name, reader),
                configurationFile: directory + name, tensorFile: directory, tensors: [],
                tokenizerFiles: extent == .whole
                    ? try AdapterFile.tokenizerFiles(in: directory, reader) : nil,
                extent: extent, peftType: configurations[name])
            return file.adding(try experts(of: file, directory, reader, extent))
        }
        return nil
    }

    /// - Parameter directory: of an adapter with `adapter_config.json`, with a slash at its end.
    /// - Throws: `AdapterError.configuration` where another configuration stands beside it.
    static func checkStandsAlone(
        in directory: String, _ reader: FileReader
    ) throws(AdapterError) {
        guard let other = try reader.first(of: fileNames, in: directory) else { return }
        throw .configuration(
            file: other,
            reason: "\(AdapterFile.configurationName) stands beside it, and an adapter has one "
                + "configuration: remove the one that isn't meant")
    }

    /// The experts that a configuration names; none for adapters that are no mixtures.
    ///
    /// - Parameter directory: of the mixture, with a slash at its end.
    /// - Throws: `AdapterError.invalidSetting` where one isn't there, and what is wrong with one.
    static func experts(
        of file: AdapterFile, _ directory: String, _ reader: FileReader,
        _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> [Expert] {
        let places = try places(of: file.peftType, file.configuration)
        guard !places.isEmpty else { return [] }
        let inside = reader.confined(toMixture: directory)
        var experts: [Expert] = []
        for place in places {
            let path = try found(place, directory, in: file.configuration.file, inside)
            experts.append(
                Expert(
                    name: place.name, file: try AdapterFile.openPEFT(path, inside, extent)))
        }
        return experts
    }

    /// Where the experts of a directory's adapter lie, each with a slash at its end; none for one
    /// that is no mixture.
    ///
    /// - Parameter directory: with a slash at its end.
    /// - Throws: as `experts(of:_:_:_:)`.
    static func expertDirectories(
        of directory: String, _ reader: FileReader
    ) throws(AdapterError) -> [String] {
        let names = [AdapterFile.configurationName] + fileNames
        guard let path = try reader.first(of: names, in: directory) else { return [] }
        var configuration = try AdapterConfiguration(
            parsing: try configurationText(path, reader), file: path)
        let stated = try configuration.text("peft_type")
        let peftType = configurations[String(path.dropFirst(directory.count))] ?? stated ?? ""
        let inside = reader.confined(toMixture: directory)
        var directories: [String] = []
        for place in try places(of: peftType, configuration) {
            directories.append(
                FilePath.asDirectory(try found(place, directory, in: path, inside)))
        }
        return directories
    }

    private static func configurationText(
        _ path: String, _ reader: FileReader
    ) throws(AdapterError) -> [UInt8] {
        try reader.bytes(of: path, limit: AdapterConfiguration.byteCountLimit)
    }

    /// A configuration that came without what it names, in one file for example.
    static func expertsLeftOut(_ file: String) -> AdapterError {
        .configuration(
            file: file, reason: "its experts lie in directories beside it: serve its directory")
    }

    /// Where an expert may lie: the first path that holds an adapter counts.
    struct Place {
        /// The setting that names it.
        let setting: String
        let name: String
        /// Relative to the mixture's directory.
        let paths: [String]
    }

    private static func places(
        of peftType: String, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> [Place] {
        switch peftType {
        case Arrow.peftType: try Arrow.places(configuration)
        case XLoRA.peftType: try XLoRA.places(configuration)
        default: []
        }
    }

    /// The directory in which an expert lies. What lies elsewhere is passed over: PEFT saves
    /// experts beside a configuration that names where they came from.
    private static func found(
        _ place: Place, _ directory: String, in file: String, _ inside: FileReader
    ) throws(AdapterError) -> String {
        var outside: String?
        for path in place.paths.map({ $0.hasPrefix("/") ? $0 : directory + $0 }) {
            do throws(AdapterError) {
                let configuration = path + "/" + AdapterFile.configurationName
                if try inside.kind(of: configuration) != .missing { return path }
            } catch {
                switch error {
                case .outsideMixture, .outsideRoot: outside = outside ?? path
                default: throw error
                }
            }
        }
        if let outside { throw .outsideMixture(path: outside, mixture: directory) }
        throw .invalidSetting(
            place.setting, value: "\"\(place.name)\"",
            expected: "directories of PEFT adapters: there is none at \(place.paths[0])",
            file: file)
    }
}
