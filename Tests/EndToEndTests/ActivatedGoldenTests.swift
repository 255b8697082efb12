import Adapters
import Foundation
import StrictJSON
import Testing
import Transformer

/// Activated LoRA against PEFT, and what it shares with the base.
struct ActivatedGoldenTests {
    private func runner(_ golden: ActivatedCase) throws -> SequenceRunner {
        let base = try GoldenTests.base(golden.base)
        let adapter = try AdapterReader.read(
            name: golden.adapter, path: golden.adapterPath, slots: base.slots, base: base,
            pool: GoldenTests.pool)
        let part = SelectedOperators(
            name: golden.adapter, operators: adapter.operators, weight: 1)
        return SequenceRunner(
            base: base, plan: try AdapterPlan([part], slots: base.slots), pool: GoldenTests.pool)
    }

    @Test func theManifestIsThere() {
        #expect(ActivatedCase.all.count >= 20)
    }

    @Test(arguments: ActivatedCase.all)
    func everyPositionAgreesWithPEFT(golden: ActivatedCase) throws {
        var runner = try runner(golden)
        let width = runner.base.configuration.vocabularyCount
        let expected = SequenceRunner.logprobs(try golden.logits(), vocabularyCount: width)
        let found = runner.logprobs(golden.prompt)
        #expect(found.count == expected.count)
        let largest = zip(found, expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(largest <= golden.tolerance, "\(golden.id): \(largest)")
        for chunk in [1, 7] {
            runner.chunk = chunk
            #expect(runner.logprobs(golden.prompt) == found)
        }
    }

    @Test(arguments: ActivatedCase.all)
    func rowsBeforeTheInvocationAreTheBases(golden: ActivatedCase) throws {
        let runner = try runner(golden)
        let base = SequenceRunner(
            base: runner.base, plan: AdapterPlan.base(runner.base.slots), pool: runner.pool)
        let width = runner.base.configuration.vocabularyCount
        let start = runner.plan.activation?.start(in: golden.prompt) ?? golden.prompt.count
        let (found, plain) = (runner.logits(golden.prompt), base.logits(golden.prompt))
        #expect(found[..<(start * width)] == plain[..<(start * width)])
        if start < golden.prompt.count {
            #expect(found[(start * width)...] != plain[(start * width)...])
        }
    }

    @Test(arguments: ["tiny-llama", "tiny-qwen2"])
    func servedTokensAreThoseOfGenerate(base: String) throws {
        let cases = ActivatedCase.all.filter { $0.base == base }
        let names = Set(cases.map(\.adapter)).sorted()
        let lines = cases.enumerated().map { index, golden in
            #"{"id":\#(index),"tokens":\#(golden.prompt),"adapter":"\#(golden.adapter)","#
                + #""max_tokens":24,"temperature":0,"ignore_eos":true,"stream":false}"#
        }
        let events = try GraftProcess.serve(
            ["--base", Checkout.model(base)]
                + names.flatMap { ["--adapter", "\($0)=\(ActivatedCase.path($0))"] }, lines)
        for (index, golden) in cases.enumerated() {
            let found = try #require(events.done(index)).tokens
            #expect(found.count == 24)
            let margin = golden.referenceDistance.map { 2 * $0 } ?? 1e-3
            for (place, token) in golden.tokens.enumerated() {
                if golden.margins[place] <= margin { break }
                #expect(found[place] == Int(token), "\(golden.id), token \(place)")
            }
        }
    }

    @Test func pagesBeforeTheInvocationAreSharedWithTheBase() throws {
        let golden = try ActivatedCase.named("words/late")
        let server = try RunningGraft([
            "--base", Checkout.model("tiny-llama"), "--adapter", "words=\(golden.adapterPath)",
            "--adapter", "law=\(Checkout.adapter("law"))",
        ])
        func done(_ tokens: [Int32], _ adapter: String) throws -> JSONObject {
            try server.ask(
                #""tokens":\#(tokens),"adapter":\#(adapter),"max_tokens":24,"temperature":0,"#
                    + #""ignore_eos":true,"stream":false"#)
        }
        // Token 51 is the first of the invocation, so that three pages are the base's.
        #expect(try done(golden.prompt, "null").cachedTokenCount == 0)
        let first = try done(golden.prompt, #""words""#)
        #expect(first.cachedTokenCount == 48)
        #expect(first.tokens == golden.tokens.map(Int.init))
        #expect(try done(golden.prompt, #""law""#).cachedTokenCount == 0)
        // 57 + 23 computed tokens are five pages, two of them the adapter's.
        let next = golden.prompt + golden.tokens + [5]
        #expect(try done(next, #""words""#).cachedTokenCount == 80)
        #expect(try done(next, "null").cachedTokenCount == 48)
        try server.stop()
    }

    @Test func mixesAndMergesAreRefusedWithTheReason() throws {
        let events = try GraftProcess.serve(
            [
                "--base", Checkout.model("tiny-llama"),
                "--adapter", "words=\(ActivatedCase.path("words"))",
                "--adapter", "law=\(Checkout.adapter("law"))",
            ],
            [
                #"{"id":1,"tokens":[1,5],"adapter":{"words":1,"law":0.5},"max_tokens":2}"#,
                #"{"id":2,"op":"merge_adapter","name":"words"}"#,
                #"{"id":3,"tokens":[7,300,41],"adapter":{"words":0.5},"max_tokens":2,"ignore_eos":true}"#,
            ])
        for id in 1...2 {
            #expect(events.of(id).first?["code"]?.stringValue == "adapter_incompatible")
            #expect(
                events.of(id).first?["message"]?.stringValue?.contains("from its invocation tokens")
                    == true)
        }
        #expect(events.done(3)?.tokens.count == 2)
    }
}
