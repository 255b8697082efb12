import Foundation
import StrictJSON
import Testing

/// The commands beside `serve`.
struct CommandEndToEndTests {
    private let base = Checkout.model("tiny-llama")
    private let law = "law=" + Checkout.adapter("law")

    private func promptLogprobs(_ base: String, _ extra: [String], adapter: String) throws
        -> [Double]
    {
        let events = try GraftProcess.serve(
            ["--base", base] + extra,
            [
                #"{"id":1,"tokens":[1,40,300,77,12,9],"adapter":\#(adapter),"max_tokens":0,"prompt_logprobs":0}"#
            ])
        let prompt = events.first { $0["event"]?.stringValue == "prompt" }
        return prompt?["prompt_logprobs"]?.arrayValue?.compactMap {
            $0.arrayValue?.first?.objectValue?["logprob"]?.doubleValue
        } ?? []
    }

    @Test func aMergedCheckpointGivesTheAttachedAdaptersLogits() throws {
        let folder = try TemporaryDirectory()
        let out = folder.file("merged")
        let merge = try GraftProcess.run(
            ["merge", "--base", base, "--adapter", law, "--weight", "law=0.5", "--out", out])
        #expect(merge.status == 0, "\(merge.errors)")
        let merged = try promptLogprobs(out, [], adapter: "null")
        let attached = try promptLogprobs(base, ["--adapter", law], adapter: #"{"law":0.5}"#)
        #expect(merged.count == 5)
        for (first, second) in zip(merged, attached) { #expect(abs(first - second) < 1e-3) }
        let again = try GraftProcess.run(["merge", "--base", base, "--adapter", law, "--out", out])
        #expect(again.status != 0)
        #expect(again.errors.contains(out))
    }

    @Test(arguments: ["tiny-llama-F16", "tiny-qwen2-Q8_0"])
    func aMergedGGUFKeepsItsTokenizer(name: String) throws {
        try expectSameTokens(
            Checkout.model("gguf/\(name).gguf"),
            adapter: Checkout.adapter(name.contains("qwen") ? "qwen" : "law"))
    }

    @Test(.enabled(if: Checkout.smolLM2 != nil, "SmolLM2 is not in the cache"))
    func aMergedSmolLM2KeepsItsTokenizer() throws {
        try expectSameTokens(
            try #require(Checkout.smolLM2), adapter: Checkout.path("models/adapters/law"))
    }

    private func expectSameTokens(_ base: String, adapter: String) throws {
        let folder = try TemporaryDirectory()
        let out = folder.file("merged")
        let merge = try GraftProcess.run(
            ["merge", "--base", base, "--adapter", "a=" + adapter, "--out", out])
        #expect(merge.status == 0, "\(merge.errors)")
        let requests = [
            #"{"op":"tokenize","text":"A contract is 123 naïve 🎉\n\tx  y","id":1}"#,
            #"{"op":"tokenize","text":"<s><|im_start|>user don't  中文","id":2}"#,
        ]
        let tokens = try [base, out].map { path in
            try GraftProcess.serve(["--base", path], requests).map(\.tokens)
        }
        #expect(tokens[0] == tokens[1])
        #expect(tokens[0].allSatisfy { $0.count > 4 })
    }

    @Test func inspectSaysWhatAFileIs() throws {
        let adapter = try GraftProcess.run(["inspect", "--json", Checkout.adapter("law")]).events()[
            0]
        #expect(adapter["kind"]?.stringValue == "adapter")
        #expect(adapter["peft_type"]?.stringValue == "LORA")
        #expect(adapter["rank"]?.arrayValue?.first?.intValue == 8)
        let model = try GraftProcess.run(
            ["inspect", "--json", Checkout.model("gguf/tiny-llama-Q4_0.gguf")]
        ).events()[0]
        #expect(model["kind"]?.stringValue == "base")
        #expect(model["format"]?.stringValue == "gguf")
        #expect(model["num_hidden_layers"]?.intValue == 3)
        #expect(model["bytes_by_type"]?.objectValue?["Q4_0"] != nil)
    }

    @Test func verifyComparesAttachedWithMerged() throws {
        let report = try GraftProcess.run(
            ["verify", "--json", "--base", base, "--adapter", law]
        ).events()[0]
        #expect(report["passed"]?.boolValue == true)
        #expect((report["effect"]?.doubleValue ?? 0) > 0.1)
        #expect((report["merge_difference"]?.doubleValue ?? 1) < 1e-3)
    }

    @Test func packedAdaptersHaveTheSameHash() throws {
        let folder = try TemporaryDirectory()
        let file = folder.file("law.lora")
        #expect(
            try GraftProcess.run(["pack", "--adapter", Checkout.adapter("law"), "--out", file])
                .status == 0)
        let hashes = try [Checkout.adapter("law"), file].map {
            try GraftProcess.run(["inspect", "--json", $0]).events()[0]["hash"]?.stringValue
        }
        #expect(hashes[0] == hashes[1])
        #expect(hashes[0] != nil)
    }

    @Test(arguments: ["q8", "q4"])
    func benchReportsOneObject(type: String) throws {
        let report = try GraftProcess.run([
            "bench", "--json", "--base", base, "--adapter", law, "--prompt", "24", "--generate",
            "8",
            "--batch", "2", "--threads", "2", "--quantize", type, "--repeat", "1",
        ]).events()[0]
        for key in ["prefill_tokens_per_second", "decode_tokens_per_second", "load_seconds"] {
            #expect((report[key]?.doubleValue ?? 0) > 0, "\(key)")
        }
        #expect(report["batch"]?.intValue == 2)
        #expect(report["prompt"]?.intValue == 24)
        #expect(report["generate"]?.intValue == 8)
        #expect(report["threads"]?.intValue == 2)
        #expect(report["weight_type"]?.stringValue == (type == "q8" ? "Q8_0" : "Q4_1"))
        #expect((report["peak_rss_bytes"]?.intValue ?? 0) > 1 << 20)
        #expect(report["merged"]?.boolValue == false)
    }

    @Test func factorsInBF16TakeHalfOfTheMemoryAndAnswerAlmostAlike() throws {
        func byteCount(_ type: String) throws -> Int {
            let report = try GraftProcess.run([
                "bench", "--json", "--base", base, "--adapter", law, "--prompt", "8", "--generate",
                "4", "--repeat", "1", "--adapter-dtype", type,
            ])
            return try #require(try report.events()[0]["adapter_bytes"]?.intValue)
        }
        let (small, whole) = (try byteCount("bf16"), try byteCount("file"))
        #expect(abs(Double(small) / Double(whole) - 0.5) < 0.01)
        func logprobs(_ type: String) throws -> [Double] {
            try promptLogprobs(
                base, ["--adapter", law, "--adapter-dtype", type], adapter: #""law""#)
        }
        let (rounded, exact) = (try logprobs("bf16"), try logprobs("file"))
        #expect(exact.count == 5)
        #expect(rounded != exact)
        for (first, second) in zip(rounded, exact) { #expect(abs(first - second) < 0.05) }
    }

    /// Beside weights in bf16 keys, values and factors are bf16, beside f32 they are f32; options
    /// choose.
    @Test(arguments: ["tiny-llama-bf16", "tiny-llama"])
    func keysValuesAndFactorsAreAsExactAsTheWeights(base: String) throws {
        func bench(_ options: String...) throws -> (type: String?, byteCount: Int?) {
            let report = try GraftProcess.run(
                [
                    "bench", "--json", "--base", Checkout.model(base), "--adapter",
                    law, "--prompt", "8", "--generate", "4",
                    "--repeat", "1",
                ] + options
            ).events()[0]
            return (report["key_value_type"]?.stringValue, report["adapter_bytes"]?.intValue)
        }
        let inspected = try GraftProcess.run([
            "inspect", "--json", "--base", Checkout.model(base),
            String(try #require(law.split(separator: "=").last)),
        ]).events()[0]
        let served = try bench()
        #expect(inspected["memory_bytes"]?.intValue == served.byteCount)
        let exact = try bench("--kv-dtype", "f32", "--adapter-dtype", "file")
        let rounded = try bench("--kv-dtype", "bf16", "--adapter-dtype", "bf16")
        #expect(exact.type == "f32" && rounded.type == "bf16")
        #expect(try #require(rounded.byteCount) < #require(exact.byteCount))
        #expect(served == (base == "tiny-llama" ? exact : rounded))
    }

    @Test func benchMergesFirstWhereAsked() throws {
        let report = try GraftProcess.run([
            "bench", "--json", "--base", base, "--adapter", law, "--prompt", "8", "--generate", "4",
            "--repeat", "1", "--merged",
        ]).events()[0]
        #expect(report["merged"]?.boolValue == true)
        #expect((report["decode_tokens_per_second"]?.doubleValue ?? 0) > 0)
    }

    @Test func runComparesSideBySide() throws {
        let run = try GraftProcess.run([
            "run", "--base", base, "--adapter", law, "--compare", "--plain", "--max-tokens", "5",
            "A contract is",
        ])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.lines.first?.contains("base") == true)
        #expect(run.lines.first?.contains("law") == true)
        let streamed = try GraftProcess.run([
            "run", "--base", base, "--plain", "--max-tokens", "5", "A contract is",
        ])
        #expect(streamed.status == 0)
        #expect(!streamed.output.isEmpty)
    }

    @Test func anInstructionSetThatIsNoneIsAWarning() throws {
        for (name, isWarning) in [("avx-2", true), ("portable", false), ("", false)] {
            let run = try GraftProcess.run(
                ["run", "--base", base, "--plain", "--max-tokens", "1", "A"],
                environment: ["GRAFT_CPU": name])
            #expect(run.status == 0)
            #expect(run.errors.contains("Warning: GRAFT_CPU is '\(name)'") == isWarning)
        }
    }

    @Test(arguments: [
        (["serve", "--base", "/nowhere"], "/nowhere"),
        (["inspect", "/nowhere"], "/nowhere"),
        (["serve", "--base", "BASE", "--adapter", "x=/nowhere"], "/nowhere"),
        (["serve", "--base", "BASE", "--listen", "nonsense"], "nonsense"),
        (
            ["merge", "--base", "BASE", "--adapter", "PREFIX", "--out", "/tmp/graft-never"],
            "prefix"
        ),
        (["bench", "--base", "BASE", "--batch", "0"], "--batch"),
        (["serve", "--base", "BASE", "--kv-memory", "much"], "--kv-memory"),
        (
            ["serve", "--base", "BASE", "--prefill-budget", "0"],
            "--prefill-budget is 0, expected 1 or more"
        ),
        (
            ["serve", "--base", "BASE", "--draft-tokens=-1"],
            "--draft-tokens is -1, expected 0 or more"
        ),
    ])
    func mistakesGetOneSentence(mistake: (arguments: [String], named: String)) throws {
        let arguments = mistake.arguments.map {
            $0 == "BASE" ? base : $0 == "PREFIX" ? "prefix=" + Checkout.adapter("prefix") : $0
        }
        let finished = try GraftProcess.run(arguments)
        #expect(finished.status != 0)
        #expect(finished.errors.contains(mistake.named), "\(finished.errors)")
        #expect(!finished.errors.contains("Fatal"))
        #expect(!FileManager.default.fileExists(atPath: "/tmp/graft-never"))
    }

    @Test func everyCommandHelps() throws {
        for command in [
            "serve", "run", "merge", "inspect", "methods", "verify", "pack", "combine", "convert",
            "extract", "bench", "perplexity", "doctor",
        ] {
            let help = try GraftProcess.run([command, "--help"])
            #expect(help.status == 0)
            #expect(help.output.contains("USAGE: graft \(command)"))
        }
    }
}
