import Adapters
internal import ArgumentParser
import Foundation
import Kernels
import StrictJSON
import Transformer

/// `graft verify`: does an adapter fit a base, and does attaching it equal merging it?
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks that an adapter fits a base and that attached equals merged.",
        discussion: """
            Runs the same tokens through the base, the base with the adapter attached, and the base \
            with the adapter merged into its weights, and reports the largest difference of \
            log-probabilities. Merged weights round to the base's type, so that a bf16 base differs \
            more than an f32 one; the limit is measured by rounding. Exits with 1 when the adapter does \
            nothing or the difference is beyond the limit.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help) var adapter: AdapterOption
    @Flag(help: "Refuse adapters with settings that are not known.") var strictAdapters = false
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let pool = options.makePool()
        let base = try options.open(pool: pool)
        let loaded = try AdapterReader.read(
            name: adapter.name, path: adapter.path, slots: base.slots, base: base,
            options: AdapterOptions(strict: strictAdapters), pool: pool)
        let check = AdapterCheck(base: base, adapter: loaded, pool: pool)
        let report = try check.run()
        print(json ? report.json(loaded).serialized() : report.text(loaded))
        if !report.passed { throw ExitCode.failure }
    }
}
