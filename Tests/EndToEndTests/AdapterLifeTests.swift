import Adapters
import Engine
import Foundation
import Testing

/// Names that get other content, requests that end in every way, and what is found in the cache
/// meanwhile.
struct AdapterLifeTests {
    private static let prompt: [Int32] = (0..<50).map { ($0 * 37 + 11) % 500 + 3 }
    /// Pages that hold all but the last token, which has to be computed.
    private static let pagedTokenCount = 48

    private func one(_ name: String, _ weight: Float = 1) -> [SelectionEntry] {
        [SelectionEntry(name: name, weight: weight)]
    }

    /// What a server says that knows nothing else.
    private func fresh(
        _ adapters: [String], _ selection: [SelectionEntry], merged: Bool = false,
        prompt: [Int32] = Self.prompt
    ) async throws -> AnswerSink.Answer {
        let served = try ServedBase { $0.usesPrefixCache = false }
        for name in adapters { try served.load(name) }
        if merged { try served.registry.merge(name: selection[0].name) }
        return try await served.answer(prompt, selection)
    }

    private func expectSame(
        _ found: AnswerSink.Answer, _ expected: AnswerSink.Answer, cached: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(found.tokens == expected.tokens, sourceLocation: sourceLocation)
        #expect(found.logprobs == expected.logprobs, sourceLocation: sourceLocation)
        #expect(found.cachedTokenCount == cached, sourceLocation: sourceLocation)
    }

    @Test func whatIsCachedBelongsToContentWeightAndMerge() async throws {
        let served = try ServedBase()
        try served.load("law", "medicine")
        let both = [
            SelectionEntry(name: "law", weight: 0.5), SelectionEntry(name: "medicine", weight: 0.5),
        ]
        for selection in [[], one("law"), one("medicine"), one("law", 0.5), both] {
            let expected = try await fresh(["law", "medicine"], selection)
            for cached in [0, Self.pagedTokenCount] {
                expectSame(
                    try await served.answer(Self.prompt, selection), expected, cached: cached)
            }
        }
        try served.registry.merge(name: "law")
        let merged = try await fresh(["law"], one("law"), merged: true)
        for cached in [0, Self.pagedTokenCount] {
            expectSame(try await served.answer(Self.prompt, one("law")), merged, cached: cached)
        }
        try served.registry.unmerge(name: "law")
        expectSame(
            try await served.answer(Self.prompt, one("law")),
            try await fresh(["law"], one("law")), cached: Self.pagedTokenCount)
    }

    @Test func alternatingAdaptersGetTheirOwnAnswersWhateverIsCancelled() async throws {
        let served = try ServedBase { $0.prefillChunk = 16 }
        try served.load("law", "medicine")
        let names = ["law", "medicine"]
        var expected: [String: AnswerSink.Answer] = [:]
        for name in names { expected[name] = try await fresh([name], one(name)) }
        var sinks: [(name: String, sink: AnswerSink, isCancelled: Bool)] = []
        for index in 0..<60 {
            let sink = AnswerSink()
            let handle = try served.submit(Self.prompt, one(names[index % 2]), sink)
            if index % 3 == 2 { served.engine.cancel(handle) }
            sinks.append((names[index % 2], sink, index % 3 == 2))
            if index % 7 == 0 { try await Task.sleep(for: .milliseconds(8)) }
        }
        for (name, sink, isCancelled) in sinks {
            let answer = try await sink.complete()
            if isCancelled, answer.reason == .cancelled { continue }
            #expect(answer.tokens == expected[name]?.tokens)
            #expect(answer.logprobs == expected[name]?.logprobs)
        }
        #expect(served.registry.liveCounts == (0, 0))
    }

    @Test func aFileThatIsOverwrittenIsAnsweredFromWhatItIsWhenLoadedAgain() async throws {
        let served = try ServedBase()
        let folder = try TemporaryDirectory()
        let path = folder.file("x")
        let files = FileManager.default
        try files.copyItem(atPath: Checkout.adapter("law"), toPath: path)
        try served.registry.load(name: "x", path: path)
        let law = try await fresh(["law"], one("law"))
        expectSame(try await served.answer(Self.prompt, one("x")), law, cached: 0)
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let bytes = try Data(
                contentsOf: URL(fileURLWithPath: Checkout.adapter("medicine") + "/" + file))
            let handle = try #require(FileHandle(forWritingAtPath: path + "/" + file))
            try handle.truncate(atOffset: 0)
            try handle.write(contentsOf: bytes)
            try handle.close()
        }
        // What is in memory is what it was.
        expectSame(
            try await served.answer(Self.prompt, one("x")), law, cached: Self.pagedTokenCount)
        try served.registry.load(name: "x", path: path)
        expectSame(
            try await served.answer(Self.prompt, one("x")),
            try await fresh(["medicine"], one("medicine")), cached: 0)
    }

    @Test func twoNamesOfOneContentAreOne() async throws {
        let served = try ServedBase()
        for name in ["x", "y"] {
            try served.registry.load(name: name, path: Checkout.adapter("law"))
        }
        let listings = served.registry.list()
        #expect(listings[0].hash == listings[1].hash)
        let first = try await served.answer(Self.prompt, one("x"))
        expectSame(
            try await served.answer(Self.prompt, one("y")), first, cached: Self.pagedTokenCount)
    }

    @Test func aRequestInFlightFinishesOnTheContentThatItBeganWith() async throws {
        let served = try ServedBase()
        let registry = served.registry
        let old = try registry.load(name: "x", path: Checkout.adapter("law")).hash
        let lease = try registry.lease(one("x"))
        #expect(lease.entries[0].hash == old)
        let sink = AnswerSink()
        try served.engine.submit(
            GenerationRequest(
                tokens: Self.prompt, lease: lease, maximumNewTokenCount: 64, logprobCount: 2,
                sink: sink))
        try await waitUntil { sink.answer.tokens.count > 2 || sink.answer.isComplete }
        let new = try registry.load(name: "x", path: Checkout.adapter("medicine")).hash
        #expect(new != old)
        let other = try await served.answer(Self.prompt, one("x"))
        #expect(other.tokens == (try await fresh(["medicine"], one("medicine")).tokens))
        let answer = try await sink.complete()
        let expected = try ServedBase()
        try expected.load("law")
        #expect(
            answer.tokens == (try await expected.answer(Self.prompt, one("law"), count: 64)).tokens)
        #expect(registry.liveCounts == (0, 0))
    }

    private enum Ending: CaseIterable {
        case done, stop, cancelledInQueue, cancelledInPrefill, cancelledInDecode, timeout, tooLong
        case unknownSecond, neverUsed, aborted
    }

    @Test(arguments: Ending.allCases)
    private func everyEndingGivesTheAdapterBack(ending: Ending) async throws {
        let served = try ServedBase {
            $0.prefillChunk = 16
            $0.maximumSequenceCount = ending == .cancelledInQueue ? 1 : $0.maximumSequenceCount
        }
        try served.load("law")
        let sink = AnswerSink(stopCount: ending == .stop ? 2 : nil)
        switch ending {
        case .done, .stop: try served.submit(Self.prompt, one("law"), sink)
        case .cancelledInQueue:
            let first = AnswerSink()
            try served.submit(Self.prompt, [], count: 200, first)
            try served.engine.cancel(served.submit(Self.prompt, one("law"), sink))
        case .cancelledInPrefill:
            try served.engine.cancel(served.submit(Self.prompt + Self.prompt, one("law"), sink))
        case .cancelledInDecode:
            let handle = try served.submit(Self.prompt, one("law"), count: 120, sink)
            try await waitUntil { sink.answer.tokens.count > 1 || sink.answer.isComplete }
            served.engine.cancel(handle)
        case .timeout:
            try served.submit(Self.prompt, one("law"), count: 120, sink, timeout: .zero)
        case .tooLong:
            #expect(throws: EngineError.self) {
                try served.submit(
                    [Int32](repeating: 5, count: 100_000), one("law"), AnswerSink())
            }
        case .unknownSecond:
            #expect(throws: AdapterError.unknownAdapter("none", loaded: ["law"])) {
                try served.submit(
                    Self.prompt, one("law") + one("none"), AnswerSink())
            }
        case .neverUsed: _ = try served.registry.lease(one("law"))
        case .aborted:
            try served.submit(Self.prompt, one("law"), count: 120, sink)
            served.engine.abort()
        }
        switch ending {
        case .tooLong, .unknownSecond, .neverUsed: break
        default: _ = try await sink.complete()
        }
        #expect(served.registry.list()[0].inUseCount == 0)
        let unloaded = AnswerFlag()
        served.registry.unload(name: "law") { _ in unloaded.raise() }
        try await waitUntil { unloaded.isRaised }
        #expect(served.registry.liveCounts == (0, 0))
        #expect(served.registry.memory.byteCount == 0)
    }
}
