import Adapters
import Engine
import Kernels
import Synchronization
import Testing
import Transformer

/// Keeps what the engine says of a request.
final class AnswerSink: GenerationSink {
    struct Answer: Equatable {
        var tokens: [Int32] = []
        var logprobs: [TokenLogprobs?] = []
        var reason: FinishReason?
        var cachedTokenCount = 0
        var error: EngineError?

        var isComplete: Bool { reason != nil || error != nil }
    }

    private let state = Mutex(Answer())
    private let stopCount: Int?

    /// - Parameter stopCount: tokens after which it wants no more.
    init(stopCount: Int? = nil) { self.stopCount = stopCount }

    var answer: Answer { state.withLock { $0 } }

    func receive(_ event: GenerationEvent) -> SinkDecision {
        state.withLock { answer in
            switch event {
            case .promptLogprobs: break
            case .token(let token):
                answer.tokens.append(token.token)
                answer.logprobs.append(token.logprobs)
            case .finished(let summary):
                answer.reason = summary.reason
                answer.cachedTokenCount = summary.cachedTokenCount
            case .failed(let error): answer.error = error
            }
            return answer.tokens.count == stopCount ? .stop : .proceed
        }
    }

    /// Waits for the end.
    func complete() async throws -> Answer {
        try await waitUntil { self.answer.isComplete }
        return answer
    }
}

/// Asks again and again; fails after half a minute and two thousand answers: other tests may keep
/// this one from running for long.
func waitUntil(
    sourceLocation: SourceLocation = #_sourceLocation, _ isDone: () -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(30)
    var count = 0
    while !isDone() {
        count += 1
        guard count < 2000 || ContinuousClock.now < end else {
            Issue.record("it didn't come to pass within 30 s", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// A registry and an engine on a base of the goldens, in this process.
struct ServedBase {
    let registry: AdapterRegistry
    let engine: GenerationEngine

    init(_ name: String = "tiny-llama", _ change: (inout EngineConfiguration) -> Void = { _ in })
        throws
    {
        let base = try GoldenTests.base(name)
        var configuration = EngineConfiguration()
        configuration.keyValueByteCount = 32 << 20
        change(&configuration)
        registry = AdapterRegistry(base: base)
        engine = GenerationEngine(
            base: base, pool: WorkerPool(threadCount: 1), configuration: configuration)
    }

    func load(_ adapters: String...) throws {
        for name in adapters { try registry.load(name: name, path: Checkout.adapter(name)) }
    }

    /// Submits a greedy request.
    @discardableResult
    func submit(
        _ prompt: [Int32], _ selection: [SelectionEntry], count: Int = 16, _ sink: AnswerSink,
        timeout: Duration? = nil
    ) throws -> RequestHandle {
        try engine.submit(
            GenerationRequest(
                tokens: prompt, lease: try registry.lease(selection), maximumNewTokenCount: count,
                logprobCount: 2, timeout: timeout, sink: sink))
    }

    func answer(
        _ prompt: [Int32], _ selection: [SelectionEntry], count: Int = 16
    ) async throws -> AnswerSink.Answer {
        let sink = AnswerSink()
        try submit(prompt, selection, count: count, sink)
        return try await sink.complete()
    }
}
