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
            The prompt goes through the base's chat template; --plain continues it as it stands. Without \
            a prompt, or for -, it is what standard input holds. One \
            adapter is used as it is; several need --compare, which answers with the base and each of \
            them in one batch and prints the answers side by side, or --use, which mixes them: \
            --use law=0.7 --use medicine=0.3.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: [.customLong("adapter"), .customLong("lora")], help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @Option(help: ArgumentHelp("An adapter's part in a mix.", valueName: "name=weight"))
    var use: [WeightedName] = []
    @Flag(help: "Answer with the base and every adapter, side by side.") var compare = false
    @Flag(help: "Continue the prompt; no chat template.") var plain = false
    @Option(help: ArgumentHelp("What the conversation begins with.", valueName: "text"))
    var system: String?
    @Option(
        name: [.customLong("max-tokens"), .customLong("n-predict"), .customShort("n")],
        help: "New tokens at most.")
    var maxTokens = 256
    @Option(help: "0 takes the likeliest token each time.") var temperature: Float = 0
    @Option(help: "Draws from the likeliest tokens up to this share; above 0 up to 1.")
    var topP: Float = 1
    @Option(help: "Seed of sampling.") var seed: UInt64?
    @Argument(help: "The prompt; - for standard input.") var prompt: String?

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
        if system != nil && plain {
            throw ValidationError("--system needs the chat template, which --plain leaves out")
        }
        do { _ = try sampling() } catch { throw ValidationError("\(error)") }
        if prompt == nil, isatty(STDIN_FILENO) == 1 {
            throw ValidationError("the prompt is missing: give it, or - to write it here")
        }
    }

    private func sampling() throws -> SamplingParameters {
        try SamplingParameters(temperature: temperature, topP: topP, seed: seed)
    }

    /// The argument, or what standard input holds; one line end at its end doesn't count.
    private func readPrompt() throws -> String {
        if let prompt, prompt != "-" { return prompt }
        let bytes = try FileHandle.standardInput.readToEnd() ?? Data()
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw ValidationError("standard input is not UTF-8, which a prompt must be")
        }
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    func run() async throws {
        let prompt = try readPrompt()
        let session = try LocalSession(options: options, adapters: adapters)
        if compare {
            try await compareAnswers(session, prompt)
        } else {
            try await streamAnswer(session, prompt)
        }
        await session.engine.drain()
    }

    private func promptTokens(_ tokenizer: any Tokenizer, _ prompt: String) throws -> [Int32] {
        if plain {
            return try tokenizer.encode(prompt, addingSpecialTokens: true).map(Int32.init)
        }
        do { _ = try tokenizer.requireChatTemplate() } catch {
            throw UnusableTemplate(base: options.base, error: error)
        }
        let opening = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
        let conversation = opening + [ChatMessage(role: "user", content: prompt)]
        return try tokenizer.encode(conversation: conversation).map(Int32.init)
    }

    /// Submits the prompt in the tokens of whoever answers it.
    private func submit(
        _ session: LocalSession, _ prompt: String, _ selection: [SelectionEntry],
        write: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> TextSink {
        let lease = try session.registry.lease(selection)
        guard let tokenizer = lease.tokenizer?.tokenizer ?? session.tokenizer else {
            throw ValidationError("\(options.base) has no tokenizer, which a text prompt needs")
        }
        let sink = TextSink(tokenizer, write: write)
        try session.engine.submit(
            GenerationRequest(
                tokens: try promptTokens(tokenizer, prompt), lease: lease, sampling: try sampling(),
                maximumNewTokenCount: maxTokens,
                endTokens: Set(tokenizer.endTokens.compactMap { Int32(exactly: $0) }), sink: sink))
        return sink
    }

    private func streamAnswer(_ session: LocalSession, _ prompt: String) async throws {
        let single = adapters.first.map { [SelectionEntry(name: $0.name, weight: 1)] } ?? []
        let mix = use.map { SelectionEntry(name: $0.name, weight: $0.weight) }
        let sink = try submit(session, prompt, mix.isEmpty ? single : mix) {
            FileHandle.standardOutput.write(Data($0.utf8))
        }
        _ = try await sink.text()
        print()
    }

    /// All requests are under way together, so that they share every step.
    private func compareAnswers(_ session: LocalSession, _ prompt: String) async throws {
        var sinks: [(title: String, sink: TextSink)] = []
        let selections =
            [("base", [])]
            + adapters.map {
                ($0.name, [SelectionEntry(name: $0.name, weight: 1)])
            }
        for (title, selection) in selections {
            sinks.append((title, try submit(session, prompt, selection)))
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

/// A base whose chat template can't be used, on the command line.
struct UnusableTemplate: Error, CustomStringConvertible {
    let base: String
    let error: TokenizationError

    var description: String {
        let reason =
            switch error {
            case .missingChatTemplate: "it has none"
            case .unknownChatTemplate: "it is none of those that are known"
            default: error.description
            }
        return "\(base): the prompt can't be put into the base's chat template: \(reason); "
            + "--plain continues the prompt as it stands"
    }
}
