import Adapters
import Dispatch
import Engine
import Foundation
import LlamaSlots
import Kernels
import Synchronization
import Transformer

/// A small base with random weights, and adapters for it.
enum TinyBase {
    static let vocabularyCount = 96
    static let hiddenSize = 32
    static let pool = WorkerPool(threadCount: 2)

    static let model: BaseModel = {
        do { return try make() } catch { preconditionFailure("no tiny base: \(error)") }
    }()

    /// The same with keys and values in bf16.
    static let halfModel: BaseModel = {
        do { return try make(.bf16) } catch { preconditionFailure("no tiny base: \(error)") }
    }()

    /// The base alone, three low-rank adapters of ranks 1, 4 and 8, a prefix of 5 tokens, and
    /// sparse maps of rows.
    static let plans: [AdapterPlan] = {
        do {
            let slots = model.slots
            return [AdapterPlan.base(slots)]
                + (try [1, 4, 8].map { rank in
                    try AdapterPlan(
                        [
                            SelectedOperators(
                                name: "rank\(rank)", operators: lowRank(rank), weight: 1)
                        ],
                        slots: slots)
                }) + [
                    try AdapterPlan(
                        [SelectedOperators(name: "prefix", operators: prefix(5), weight: 1)],
                        slots: slots),
                    try AdapterPlan(
                        [SelectedOperators(name: "sparse", operators: sparse(), weight: 1)],
                        slots: slots),
                ]
        } catch { preconditionFailure("no plans: \(error)") }
    }()

    private static func lowRank(_ rank: Int) -> AdapterOperators {
        var operators = AdapterOperators()
        var random = RandomSource(seed: UInt64(rank))
        for slot in [LinearSlot.layer(0, .query), .layer(1, .down), .layer(1, .value)] {
            let shape = model.slots.shape(of: slot)
            operators.linear[slot] = [
                .lowRank(
                    LowRankOperator(
                        a: rowMatrix(rank, shape.inputCount, &random),
                        b: matrix(shape.outputCount, rank, &random), scaling: 2))
            ]
        }
        return operators
    }

    private static func prefix(_ tokenCount: Int) -> AdapterOperators {
        var operators = AdapterOperators()
        var random = RandomSource(seed: 99)
        let shape = model.attentionShape
        let count = tokenCount * 2 * 2 * shape.keyValueHeadCount * shape.headDimension
        operators.prefix = PrefixKeyValues(
            values: values(count, scale: 1, &random), tokenCount: tokenCount, layerCount: 2,
            shape: shape)
        return operators
    }

    /// Maps that rows take together, of inputs and of outputs.
    private static func sparse() -> AdapterOperators {
        var operators = AdapterOperators()
        var random = RandomSource(seed: 5)
        func map(_ inputCount: Int, _ outputCount: Int) -> SparseMap {
            SparseMap(
                inputCount: inputCount, outputCount: outputCount,
                entries: values(200, scale: 0.5, &random).enumerated().map { index, value in
                    (index * 7 % outputCount, index * 13 % inputCount, value)
                })
        }
        for slot in [LinearSlot.layer(0, .query), .layer(1, .gate), .layer(1, .down)] {
            let shape = model.slots.shape(of: slot)
            operators.linear[slot] = [.update(map(shape.inputCount, shape.outputCount))]
        }
        operators.linear[.layer(1, .query)] = [.output(map(hiddenSize, hiddenSize))]
        return operators
    }

    private static func rowMatrix(
        _ outputCount: Int, _ inputCount: Int, _ random: inout RandomSource
    ) -> RowMatrix {
        values(outputCount * inputCount, scale: 0.5, &random).withUnsafeBytes {
            RowMatrix(
                copying: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: inputCount))
        }
    }

    private static func matrix(
        _ outputCount: Int, _ inputCount: Int, _ random: inout RandomSource
    ) -> PackedMatrix {
        values(outputCount * inputCount, scale: 0.5, &random).withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: inputCount),
                pool: nil)
        }
    }

    static func values(
        _ count: Int, scale: Float, _ random: inout RandomSource
    ) -> [Float] {
        (0..<count).map { _ in (Float(random.nextUnit()) - 0.5) * 2 * scale }
    }

    private static func make(_ keyValueType: KeyValueType? = nil) throws -> BaseModel {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("graft-engine-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let configuration = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
             "vocab_size": \(vocabularyCount), "hidden_size": \(hiddenSize),
             "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
             "max_position_embeddings": 256, "tie_word_embeddings": true}
            """
        try Data(configuration.utf8).write(to: directory.appendingPathComponent("config.json"))
        try safetensors().write(to: directory.appendingPathComponent("model.safetensors"))
        return try BaseModel.open(
            path: directory.path, pool: pool, keyValueType: keyValueType)
    }

    private static func safetensors() -> Data {
        var shapes: [(String, [Int])] = [("model.embed_tokens.weight", [vocabularyCount, 32])]
        for layer in 0..<2 {
            let block = "model.layers.\(layer)"
            shapes += [
                ("\(block).self_attn.q_proj.weight", [32, 32]),
                ("\(block).self_attn.k_proj.weight", [16, 32]),
                ("\(block).self_attn.v_proj.weight", [16, 32]),
                ("\(block).self_attn.o_proj.weight", [32, 32]),
                ("\(block).mlp.gate_proj.weight", [64, 32]),
                ("\(block).mlp.up_proj.weight", [64, 32]),
                ("\(block).mlp.down_proj.weight", [32, 64]),
                ("\(block).input_layernorm.weight", [32]),
                ("\(block).post_attention_layernorm.weight", [32]),
            ]
        }
        shapes.append(("model.norm.weight", [32]))
        var header: [String] = []
        var data = Data()
        var random = RandomSource(seed: 7)
        for (name, shape) in shapes {
            let floats = values(shape.reduce(1, *), scale: 0.6, &random)
            let begin = data.count
            floats.withUnsafeBytes { data.append(contentsOf: $0) }
            header.append(
                "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),"
                    + "\"data_offsets\":[\(begin),\(data.count)]}")
        }
        var text = "{" + header.joined(separator: ",") + "}"
        while text.utf8.count % 8 != 0 { text += " " }
        return withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) }
            + Data(text.utf8) + data
    }
}

extension GenerationEngine {
    /// An engine on the tiny base whose steps go through a runner of the test's own.
    static func tiny(
        _ configuration: EngineConfiguration = .init(), pageCount: Int = 64,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        runner: @escaping @Sendable (ForwardPass) -> any StepRunner
    ) -> GenerationEngine {
        let bounds = RequestBounds(
            contextCount: 256, pageCount: pageCount, pageTokenCount: Attention.pageTokenCount,
            layerCount: 2)
        return GenerationEngine(configuration: configuration, bounds: bounds, now: now) {
            let pages = KeyValuePagePool(
                pageCount: pageCount, layerCount: 2, shape: TinyBase.model.attentionShape)
            let forward = ForwardPass(
                base: TinyBase.model, pages: pages, pool: TinyBase.pool,
                maximumRowCount: configuration.maximumRowCount,
                maximumLogitsRowCount: configuration.maximumLogitsRowCount)
            return (runner(forward), pages)
        }
    }
}

/// Counts how often it is released.
final class CountingLease: PlanLease {
    let plan: AdapterPlan
    let key: String
    let activation: PlanActivation?
    let releaseCount = Atomic(0)
    let tokenCount = Atomic(0)

    /// - Parameter key: nil for one that stands for the plan.
    init(_ plan: AdapterPlan, key: String? = nil, activation: PlanActivation? = nil) {
        self.plan = plan
        self.activation = activation
        self.key = key ?? "\(ObjectIdentifier(plan))"
    }

    func release() { releaseCount.wrappingAdd(1, ordering: .relaxed) }
    func addTokens(_ count: Int) { tokenCount.wrappingAdd(count, ordering: .relaxed) }
}

/// Keeps events, and wakes whoever waits for the last one.
final class RecordingSink: GenerationSink {
    private struct State {
        var events: [GenerationEvent] = []
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let stopAfter: Int
    private let delayMicroseconds: UInt32
    private let gate: DispatchSemaphore?

    /// - Parameters:
    ///   - stopAfter: ends the request with this many tokens.
    ///   - delayMicroseconds: holds the engine up with each event.
    ///   - gate: holds the engine up after the first event, until it is signalled.
    init(
        stopAfter: Int = .max, delayMicroseconds: UInt32 = 0, gate: DispatchSemaphore? = nil
    ) {
        self.stopAfter = stopAfter
        self.delayMicroseconds = delayMicroseconds
        self.gate = gate
    }

    func receive(_ event: GenerationEvent) -> SinkDecision {
        if delayMicroseconds > 0 { usleep(delayMicroseconds) }
        let (decision, isFirst) = state.withLock { state in
            state.events.append(event)
            if Self.isTerminal(event) { state.waiter?.resume() }
            let isEnough = Self.tokens(state.events).count >= stopAfter
            return (isEnough ? SinkDecision.stop : .proceed, state.events.count == 1)
        }
        if isFirst { gate?.wait() }
        return decision
    }

    /// All events, once the last has come.
    func wait() async -> [GenerationEvent] {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.events.contains(where: Self.isTerminal) {
                    continuation.resume()
                } else {
                    state.waiter = continuation
                }
            }
        }
        return events
    }

    var events: [GenerationEvent] { state.withLock { $0.events } }

    static func isTerminal(_ event: GenerationEvent) -> Bool {
        switch event {
        case .finished, .failed: true
        case .token, .promptLogprobs: false
        }
    }

    static func tokens(_ events: [GenerationEvent]) -> [GeneratedToken] {
        events.compactMap { if case .token(let token) = $0 { token } else { nil } }
    }

    static func summary(_ events: [GenerationEvent]) -> GenerationSummary? {
        if case .finished(let summary) = events.last { summary } else { nil }
    }
}

/// Holds the engine's thread at its first event until `open`, so that what is submitted meanwhile
/// arrives together.
final class GateSink: GenerationSink {
    private let arrival = DispatchSemaphore(value: 0)
    private let gate = DispatchSemaphore(value: 0)

    func receive(_ event: GenerationEvent) -> SinkDecision {
        if case .token = event {
            arrival.signal()
            gate.wait()
        }
        return .proceed
    }

    func open() { gate.signal() }

    /// Submits a request of one token that holds the engine up, and returns once it does: on a busy
    /// machine the engine's thread may start late, and would take the next requests along.
    static func hold(_ engine: GenerationEngine) throws -> GateSink {
        let sink = GateSink()
        try engine.submit(
            GenerationRequest(
                tokens: [1], lease: CountingLease(TinyBase.plans[0]), maximumNewTokenCount: 1,
                sink: sink))
        sink.arrival.wait()
        return sink
    }
}
