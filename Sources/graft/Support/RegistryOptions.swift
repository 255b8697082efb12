import Adapters
internal import ArgumentParser
import Foundation

/// Which adapters a server has, how much memory they may take, and whether traffic merges them.
struct RegistryOptions: ParsableArguments {
    @Option(name: [.customLong("adapter"), .customLong("lora")], help: AdapterOption.help)
    var named: [AdapterOption] = []
    @Option(
        name: .customLong("lora-modules"), parsing: .upToNextOption,
        help: ArgumentHelp("Several adapters, as after --adapter.", valueName: "name=path"))
    var several: [AdapterOption] = []
    @Option(
        help: ArgumentHelp(
            "A directory whose sub-directories, .lora and .gguf files are adapters; repeatable.",
            valueName: "path"))
    var adapterDir: [String] = []
    @Flag(
        help: "Leave out adapters that can't be served, with a log line, instead of not starting.")
    var skipBadAdapters = false
    @Flag(help: "Refuse adapters with settings that are not known, instead of warning.")
    var strictAdapters = false
    @OptionGroup var updates: UpdateTypeOption
    @Option(
        help:
            "Memory for adapters; idle ones beyond it are read again when asked for (default: a quarter of the machine's)."
    )
    var adapterMemory: String?
    @Option(
        help:
            "off; hot: merge the adapter that most requests ask for; auto: only while that is estimated to be faster."
    )
    var merge: MergeMode = .off
    @Option(help: "The share of recent requests from which on --merge merges an adapter.")
    var mergeShare = 0.6

    func validate() throws {
        if let adapterMemory, ByteCount(adapterMemory) == nil {
            throw ValidationError(
                "--adapter-memory is '\(adapterMemory)', expected a size as 512M or 2G")
        }
        guard mergeShare > 0, mergeShare <= 1 else {
            throw ValidationError("--merge-share is \(mergeShare), expected above 0 up to 1")
        }
    }

    /// Every adapter that is to be served.
    ///
    /// - Throws: `DirectoryError`.
    func adapters() throws -> [AdapterOption] {
        let adapters =
            try named + several + adapterDir.flatMap { try AdapterDirectory.adapters(in: $0) }
        if !adapterDir.isEmpty { try AdapterDirectory.checkNames(adapters) }
        return adapters
    }

    var settings: AdapterRegistry.Settings {
        AdapterRegistry.Settings(
            memoryByteCountLimit: adapterMemory.flatMap { ByteCount($0)?.value }
                ?? Int(ProcessInfo.processInfo.physicalMemory / 4),
            mergeShare: merge == .off ? nil : mergeShare, mergesOnlyWhatPays: merge == .auto)
    }
}

/// What `--merge` takes.
enum MergeMode: String, ExpressibleByArgument, CaseIterable {
    case off, hot, auto
}
