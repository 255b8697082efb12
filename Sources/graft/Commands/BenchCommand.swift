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

            With --beside-base each run of the adapters stands beside one of the base alone, and \
            'decode_of_base' is the median of their ratios. An adapter that is named twice is read \
            twice, and shares nothing with the other.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @OptionGroup var updates: UpdateTypeOption
    @Flag(help: "Merge each adapter first, as live merging does.") var merged = false
    @Option(help: "Tokens of each prompt.") var prompt = 512
    @Option(help: "Tokens that each sequence generates.") var generate = 128
    @Option(help: "Sequences at once.") var batch = 1
    @Option(help: "Runs; the medians are reported.") var `repeat` = 3
    @Flag(help: "Run the base alone in turns with the adapters.") var besideBase = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if besideBase, adapters.isEmpty {
            throw ValidationError("--beside-base compares adapters with the base: give --adapter")
        }
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
        let baseSeconds = (clock.now - start).seconds
        let loaded = try loadAdapters(base: base, pool: pool)
        let loadSeconds = (clock.now - start).seconds
        let speeds = try measure(base, loaded, pool)
        var result = report(base, speeds, limits: StepLimits(base: base, pool: pool))
        result["load_seconds"] = .number(loadSeconds.rounded(toPlaces: 4))
        if !loaded.isEmpty {
            result["adapter_load_seconds"] = .number(
                (loadSeconds - baseSeconds).rounded(toPlaces: 4))
            result["adapter_bytes"] = .integer(Int64(loaded.reduce(0) { $0 + $1.byteCount }))
        }
        if json { return print(JSONValue.object(result).serialized()) }
        for (key, value) in result { print(key.padding(32), value.serialized()) }
    }

    private func loadAdapters(base: BaseModel, pool: WorkerPool) throws -> [LoadedAdapter] {
        try adapters.map { option in
            try AdapterReader.read(
                name: option.name, path: option.path, slots: base.slots, base: base,
                options: AdapterOptions(strict: false, updateType: updates.type), pool: pool
            )
        }
    }

    /// What the runs gave, in tokens a second.
    private struct Speeds {
        var prefill: [Double] = []
        var decode: [Double] = []
        /// Of the base alone, run by run beside the others.
        var basePrefill: [Double] = []
        var baseDecode: [Double] = []
    }

    private func measure(
        _ base: BaseModel, _ adapters: [LoadedAdapter], _ pool: WorkerPool
    ) throws -> Speeds {
        let plans = try adapters.map { adapter in
            let operators =
                merged
                ? try adapter.operators.merged(
                    name: adapter.name, into: base, weight: 1, pool: pool) : adapter.operators
            return try AdapterPlan(
                [SelectedOperators(name: adapter.name, operators: operators, weight: 1)],
                slots: base.slots)
        }
        func benchmark(_ plans: [AdapterPlan]) -> Benchmark {
            Benchmark(
                base: base, plans: plans, pool: pool, promptCount: prompt,
                generateCount: generate, batchCount: batch)
        }
        let alone = benchmark([AdapterPlan.base(base.slots)])
        let adapted = plans.isEmpty ? alone : benchmark(plans)
        let progress = ProgressLine("Measuring")
        defer { progress.finish() }
        var result = Speeds()
        for run in 0..<`repeat` {
            if besideBase {
                let speeds = alone.run()
                result.basePrefill.append(speeds.prefill)
                result.baseDecode.append(speeds.decode)
            }
            let speeds = adapted.run()
            result.prefill.append(speeds.prefill)
            result.decode.append(speeds.decode)
            progress.update(Double(run + 1) / Double(`repeat`))
        }
        return result
    }

    private func report(_ base: BaseModel, _ speeds: Speeds, limits: StepLimits) -> JSONObject {
        let (prefill, decode) = (speeds.prefill.median, speeds.decode.median)
        var result: JSONObject = [
            "prefill_tokens_per_second": .number(prefill.rounded(toPlaces: 2)),
            "decode_tokens_per_second": .number(decode.rounded(toPlaces: 2)),
            "batch": .integer(Int64(batch)), "prompt": .integer(Int64(prompt)),
            "generate": .integer(Int64(generate)),
            "threads": .integer(Int64(options.threadCount)),
            "weight_type": .string(base.weightType.rawValue),
            "key_value_type": .string(base.keyValueType.rawValue),
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
        guard besideBase else { return result }
        func median(_ values: [Double]) -> JSONValue { .number(values.median.rounded(toPlaces: 2)) }
        func ratio(_ values: [Double], _ others: [Double]) -> JSONValue {
            .number(zip(values, others).map { $0 / $1 }.median.rounded(toPlaces: 3))
        }
        result["base_prefill_tokens_per_second"] = median(speeds.basePrefill)
        result["base_decode_tokens_per_second"] = median(speeds.baseDecode)
        result["prefill_of_base"] = ratio(speeds.prefill, speeds.basePrefill)
        result["decode_of_base"] = ratio(speeds.decode, speeds.baseDecode)
        return result
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
