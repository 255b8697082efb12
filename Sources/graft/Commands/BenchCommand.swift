import Adapters
internal import ArgumentParser
import Foundation
import Kernels
import StrictJSON
import Transformer

/// `graft bench`: how fast prompts are read and tokens are made on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures prefill and decode throughput.",
        discussion: """
            Every sequence of the batch reads a prompt of --prompt tokens, then all of them make \
            --generate tokens together. With adapters, sequences take them in turn. Speeds are \
            medians over --repeat runs, tokens of the whole batch per second. The machine's own \
            limits are measured beside them: bytes that all threads read from memory a second, and the \
            arithmetic of the weights' type on registers alone. 'prefill_share' and 'decode_share' say \
            how much of the nearer limit was reached: all weights are read once a step, and every \
            weight is a multiplication and an addition a token.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @Flag(help: "Merge each adapter first, as live merging does.") var merged = false
    @Option(help: "Tokens of each prompt.") var prompt = 512
    @Option(help: "Tokens that each sequence generates.") var generate = 128
    @Option(help: "Sequences at once.") var batch = 1
    @Option(help: "Runs; the medians are reported.") var `repeat` = 3
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        for (name, value) in [
            ("--prompt", prompt), ("--generate", generate), ("--batch", batch),
            ("--repeat", `repeat`),
        ] where value < 1 || value > 1 << 20 {
            throw ValidationError("\(name) is \(value), expected 1 to \(1 << 20)")
        }
    }

    func run() throws {
        let pool = options.makePool()
        let clock = ContinuousClock()
        let start = clock.now
        let base = try options.open(pool: pool)
        let plans = try loadPlans(base: base, pool: pool)
        let loadSeconds = (clock.now - start).seconds
        let bench = Benchmark(
            base: base, plans: plans, pool: pool, promptCount: prompt, generateCount: generate,
            batchCount: batch)
        let progress = ProgressLine("Measuring")
        var prefill: [Double] = []
        var decode: [Double] = []
        for run in 0..<`repeat` {
            let speeds = bench.run()
            prefill.append(speeds.prefill)
            decode.append(speeds.decode)
            progress.update(Double(run + 1) / Double(`repeat`))
        }
        progress.finish()
        let limits = StepLimits(base: base, pool: pool)
        report(
            base, prefill: prefill.median, decode: decode.median, loadSeconds: loadSeconds,
            limits: limits)
    }

    private func loadPlans(base: BaseModel, pool: WorkerPool) throws -> [AdapterPlan] {
        guard !adapters.isEmpty else { return [AdapterPlan.base(base.slots)] }
        return try adapters.map { option in
            let adapter = try AdapterReader.read(
                name: option.name, path: option.path, slots: base.slots, base: base,
                options: AdapterOptions(strict: false), pool: pool)
            let operators =
                merged
                ? try adapter.operators.merged(
                    name: option.name, into: base, weight: 1, pool: pool) : adapter.operators
            return try AdapterPlan(
                [SelectedOperators(name: option.name, operators: operators, weight: 1)],
                slots: base.slots)
        }
    }

    private func report(
        _ base: BaseModel, prefill: Double, decode: Double, loadSeconds: Double,
        limits: StepLimits
    ) {
        let result: JSONObject = [
            "prefill_tokens_per_second": .number(prefill.rounded(toPlaces: 2)),
            "decode_tokens_per_second": .number(decode.rounded(toPlaces: 2)),
            "batch": .integer(Int64(batch)), "prompt": .integer(Int64(prompt)),
            "generate": .integer(Int64(generate)),
            "threads": .integer(Int64(options.threadCount)),
            "weight_type": .string(base.weightType.rawValue),
            "load_seconds": .number(loadSeconds.rounded(toPlaces: 4)),
            "peak_rss_bytes": .integer(Int64(peakResidentByteCount())),
            "adapters": .integer(Int64(adapters.count)), "merged": .bool(merged),
            "instruction_set": .string(InstructionSet.current.rawValue),
            "read_gigabytes_per_second": .number((limits.readBandwidth / 1e9).rounded(toPlaces: 2)),
            "peak_gigaoperations_per_second": .number(
                (limits.peakArithmetic / 1e9).rounded(toPlaces: 1)),
            "prefill_share": .number(
                (prefill / limits.tokensPerSecond(rowCount: min(prompt, 512), withHead: false))
                    .rounded(toPlaces: 3)),
            "decode_share": .number(
                (decode / limits.tokensPerSecond(rowCount: batch, withHead: true))
                    .rounded(toPlaces: 3)),
        ]
        if json { return print(JSONValue.object(result).serialized()) }
        for (key, value) in result {
            print(key.padding(toLength: 28, withPad: " ", startingAt: 0), value.serialized())
        }
    }
}

/// The largest resident size that this process has had, in bytes.
private func peakResidentByteCount() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}

extension Duration {
    /// In seconds.
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}

extension [Double] {
    /// The middle value, or the mean of the two middle ones; 0 when empty.
    var median: Double {
        guard !isEmpty else { return 0 }
        let ordered = sorted()
        return (ordered[(count - 1) / 2] + ordered[count / 2]) / 2
    }
}

extension Double {
    func rounded(toPlaces places: Int) -> Double {
        let power = pow(10, Double(places))
        return (self * power).rounded() / power
    }
}
