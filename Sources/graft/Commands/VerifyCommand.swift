import Adapters
internal import ArgumentParser
import Engine
import Foundation
import Kernels
import StrictJSON
import Transformer

/// `graft verify`: does an adapter fit a base, and does attaching it equal merging it, or what PEFT
/// computes?
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks that an adapter fits a base and equals its merge, or PEFT's logits.",
        discussion: """
            Runs the same tokens through the base, the base with the adapter attached, and the base \
            with the adapter merged into its weights, and reports the largest difference of \
            log-probabilities. Merged weights round to the base's type, so that a bf16 base differs \
            more than an f32 one; the limit is measured by rounding. Exits with 1 when the adapter does \
            nothing or the difference is beyond the limit.

            With --against, prompts of a file go through the engine as a server's requests do, and what \
            it holds likely after each of their tokens is compared with PEFT's logits in the file:

              tools/reference export --base B --adapter A --text "A contract is" --out expected.safetensors
              graft verify --base B --adapter A --against expected.safetensors

            The limit is 0.002, or, where the file says how far PEFT itself is from f32 arithmetic in the \
            base's type, that; 1 for 8-bit and 4-bit blocks.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help) var adapter: AdapterOption
    @Flag(help: "Refuse adapters with settings that are not known.") var strictAdapters = false
    @OptionGroup var updates: UpdateTypeOption
    @Option(
        help: ArgumentHelp(
            "Logits that PEFT computed, as `tools/reference export` saves them.",
            valueName: "path"))
    var against: String?
    @Option(
        help: ArgumentHelp(
            "With --against: the largest difference of a log-probability that passes.",
            valueName: "number"))
    var limit: Float?
    @Flag(help: "With --against: compare the merged weights.") var merged = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if merged, against == nil { throw ValidationError("--merged needs --against") }
        guard let limit else { return }
        if against == nil { throw ValidationError("--limit needs --against") }
        if !(limit >= 0 && limit.isFinite) {
            throw ValidationError("--limit is \(limit), expected 0 or more")
        }
    }

    func run() async throws {
        if let against { return try await compare(with: against) }
        try compareWithMerged()
    }

    private func compare(with path: String) async throws {
        // Of each prompt as many as the reference has, however long it is.
        let session = try LocalSession(
            options: options, adapters: [adapter],
            adapterOptions: AdapterOptions(
                strict: strictAdapters, updateType: updates.type),
            configuration: EngineConfiguration(maximumPromptLogprobCount: .max))
        // An adapter may have another number of tokens than its base.
        let lease = try session.registry.lease([SelectionEntry(name: adapter.name)])
        let reference = try ReferenceLogits(path: path, vocabularyCount: lease.plan.vocabularyCount)
        lease.release()
        if merged { try session.registry.merge(name: adapter.name) }
        let report = try await ReferenceCheck(
            session: session, adapter: adapter.name, reference: reference, limit: limit
        ).run()
        print(json ? report.json.serialized() : report.text)
        if !report.passed { throw ExitCode.failure }
    }

    private func compareWithMerged() throws {
        let pool = options.makePool()
        let base = try options.open(pool: pool)
        let loaded = try AdapterReader.read(
            name: adapter.name, path: adapter.path, slots: base.slots, base: base,
            options: AdapterOptions(
                strict: strictAdapters, updateType: updates.type), pool: pool)
        let check = AdapterCheck(base: base, adapter: loaded, pool: pool)
        let report = try check.run()
        print(json ? report.json(loaded).serialized() : report.text(loaded))
        if !report.passed { throw ExitCode.failure }
    }
}
