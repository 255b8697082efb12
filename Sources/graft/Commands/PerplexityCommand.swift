import Adapters
internal import ArgumentParser
import Foundation
import Kernels
import StrictJSON
import Tokenization
import Transformer

/// `graft perplexity`: how well a base, quantised or with an adapter, predicts a text.
struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measures the perplexity of a text.",
        discussion: """
            The text is cut into windows of --window tokens that know nothing of each other; every token \
            but the first of a window is scored. Lower is better; the figures of two runs compare \
            when base, text and window are the same. What does 8-bit rounding cost?

              graft perplexity --base model.bin --text book.txt
              graft perplexity --base model.bin --text book.txt --quantize q8
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapter: AdapterOption?
    @OptionGroup var updates: UpdateTypeOption
    @Option(help: ArgumentHelp("A file of text in UTF-8.", valueName: "path")) var text: String
    @Option(help: "Tokens of a window.") var window = 512
    @Option(help: "Windows at most (default: the whole text).") var windows: Int?
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if window < 2 || window > 1 << 16 {
            throw ValidationError("--window is \(window), expected 2 to \(1 << 16)")
        }
        if let windows, windows < 1 {
            throw ValidationError("--windows is \(windows), expected 1 or more")
        }
    }

    func run() throws {
        guard let bytes = FileManager.default.contents(atPath: text) else {
            throw ValidationError("--text: '\(text)' can't be read: name a file of text in UTF-8")
        }
        guard let content = String(validating: bytes, as: UTF8.self) else {
            throw ValidationError("--text: '\(text)' is not UTF-8: convert it first")
        }
        let pool = options.makePool()
        let base = try options.open(pool: pool)
        guard let assets = base.tokenizer else {
            throw ValidationError("'\(options.base)' carries no tokenizer to read a text with")
        }
        let tokenizer = try TokenizerLoader.load(assets)
        let tokens = try tokenizer.encode(content, addingSpecialTokens: false).map(Int32.init)
        guard tokens.count >= 2 else {
            throw ValidationError(
                "--text: '\(text)' has \(tokens.count) token(s), expected 2 or more")
        }
        let scorer = WindowScorer(
            base: base, plan: try plan(base, pool), pool: pool, windowCount: window,
            beginningToken: tokenizer.beginningToken.map(Int32.init))
        report(base, score(tokens, scorer))
    }

    private func plan(_ base: BaseModel, _ pool: WorkerPool) throws -> AdapterPlan {
        guard let adapter else { return .base(base.slots) }
        let loaded = try AdapterReader.read(
            name: adapter.name, path: adapter.path, slots: base.slots, base: base,
            options: AdapterOptions(strict: false, updateType: updates.type), pool: pool)
        return try AdapterPlan(
            [SelectedOperators(name: adapter.name, operators: loaded.operators, weight: 1)],
            slots: base.slots)
    }

    private func score(_ tokens: [Int32], _ scorer: WindowScorer) -> WindowScorer.Score {
        let progress = ProgressLine("Scoring")
        defer { progress.finish() }
        var total = WindowScorer.Score()
        let starts = Array(stride(from: 0, to: tokens.count, by: scorer.textTokenCount))
        let used = starts.prefix(windows ?? starts.count)
        for (index, start) in used.enumerated() {
            total += scorer.score(tokens[start..<min(tokens.count, start + scorer.textTokenCount)])
            progress.update(Double(index + 1) / Double(used.count))
        }
        return total
    }

    private func report(_ base: BaseModel, _ score: WindowScorer.Score) {
        let result: JSONObject = [
            "perplexity": .number(score.perplexity.rounded(toPlaces: 5)),
            "scored_tokens": .integer(Int64(score.tokenCount)),
            "window": .integer(Int64(window)),
            "weight_type": .string(base.weightType.rawValue),
            "weight_bytes": .integer(Int64(base.weightByteCount)),
        ]
        if json { return print(JSONValue.object(result).serialized()) }
        for (key, value) in result {
            print(key.padding(toLength: 28, withPad: " ", startingAt: 0), value.serialized())
        }
    }
}
