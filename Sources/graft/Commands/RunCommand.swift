import Adapters
internal import ArgumentParser
import Engine
import Foundation
import Tokenization

/// `graft run`: one prompt, answered on the terminal.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Answers one prompt, with text as it comes.",
        discussion: """
            The prompt goes through the base's chat template; --plain continues it as it stands. One \
            adapter is used as it is; several need --compare, which answers with the base and each of \
            them in one batch and prints the answers side by side, or --use, which mixes them: \
            --use law=0.7 --use medicine=0.3.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @Option(help: ArgumentHelp("An adapter's part in a mix.", valueName: "name=weight"))
    var use: [WeightedName] = []
    @Flag(help: "Answer with the base and every adapter, side by side.") var compare = false
    @Flag(help: "Continue the prompt; no chat template.") var plain = false
    @Option(help: "New tokens at most.") var maxTokens = 256
    @Option(help: "0 takes the likeliest token each time.") var temperature: Float = 0
    @Option(help: "Seed of sampling.") var seed: UInt64?
    @Argument(help: "The prompt.") var prompt: String

    func validate() throws {
        if compare && !use.isEmpty {
            throw ValidationError("--compare and --use exclude each other")
        }
        if adapters.count > 1, !compare, use.isEmpty {
            throw ValidationError("several adapters: say --compare, or --use for a mix")
        }
        if maxTokens < 0 {
            throw ValidationError("--max-tokens is \(maxTokens), expected 0 or more")
        }
    }

    func run() async throws {
        let session = try LocalSession(options: options, adapters: adapters)
        if compare {
            try await compareAnswers(session)
        } else {
            try await streamAnswer(session)
        }
        await session.engine.drain()
    }

    private func promptTokens(_ tokenizer: any Tokenizer) throws -> [Int32] {
        let tokens =
            try plain
            ? tokenizer.encode(prompt, addingSpecialTokens: true)
            : tokenizer.encode(conversation: [ChatMessage(role: "user", content: prompt)])
        return tokens.map(Int32.init)
    }

    /// Submits the prompt in the tokens of whoever answers it.
    private func submit(
        _ session: LocalSession, _ selection: [SelectionEntry],
        write: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> TextSink {
        let sampling = try SamplingParameters(temperature: temperature, seed: seed)
        let lease = try session.registry.lease(selection)
        guard let tokenizer = lease.tokenizer?.tokenizer ?? session.tokenizer else {
            throw ValidationError("\(options.base) has no tokenizer, which a text prompt needs")
        }
        let sink = TextSink(tokenizer, write: write)
        try session.engine.submit(
            GenerationRequest(
                tokens: try promptTokens(tokenizer), lease: lease, sampling: sampling,
                maximumNewTokenCount: maxTokens,
                endTokens: Set(tokenizer.endTokens.compactMap { Int32(exactly: $0) }), sink: sink))
        return sink
    }

    private func streamAnswer(_ session: LocalSession) async throws {
        let single = adapters.first.map { [SelectionEntry(name: $0.name, weight: 1)] } ?? []
        let mix = use.map { SelectionEntry(name: $0.name, weight: $0.weight) }
        let sink = try submit(session, mix.isEmpty ? single : mix) {
            FileHandle.standardOutput.write(Data($0.utf8))
        }
        _ = try await sink.text()
        print()
    }

    /// All requests are under way together, so that they share every step.
    private func compareAnswers(_ session: LocalSession) async throws {
        var sinks: [(title: String, sink: TextSink)] = []
        let selections =
            [("base", [])]
            + adapters.map {
                ($0.name, [SelectionEntry(name: $0.name, weight: 1)])
            }
        for (title, selection) in selections {
            sinks.append((title, try submit(session, selection)))
        }
        var columns: [(title: String, text: String)] = []
        for (title, sink) in sinks {
            let text = try await sink.text()
            columns.append((title, text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        for line in SideBySide(columns: columns, width: SideBySide.terminalWidth).lines {
            print(line)
        }
    }
}
