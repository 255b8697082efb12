import Foundation
import StrictJSON
import Testing

/// `graft verify --against`: what is served against logits that PEFT saved.
struct VerifyAgainstEndToEndTests {
    private let base = Checkout.model("tiny-llama")
    private let lora = Checkout.path("Tests/Goldens/methods/lora/plain")
    private let expected = Checkout.path("Tests/Goldens/methods/lora/plain/expected.safetensors")

    private func verify(_ more: [String]) throws -> Finished {
        try GraftProcess.run(["verify", "--base", base, "--threads", "1"] + more)
    }

    @Test func whatIsServedEqualsTheReference() throws {
        let finished = try verify(["--json", "--adapter", lora, "--against", expected])
        #expect(finished.status == 0)
        let report = try #require(try finished.events().first)
        #expect(report["passed"]?.boolValue == true)
        #expect((report["largest_difference"]?.doubleValue ?? 1) < 1e-3)
        let prompts = report["prompts"]?.arrayValue ?? []
        #expect(prompts.map { $0.objectValue?["tokens"]?.intValue } == [8])
    }

    @Test(arguments: [("tiny-qwen2", "lora/rslora"), ("tiny-llama-bias", "lora/bias")])
    func otherBasesAgree(model: String, name: String) throws {
        let folder = Checkout.path("Tests/Goldens/methods/\(name)")
        let finished = try GraftProcess.run([
            "verify", "--base", Checkout.model(model), "--adapter", folder, "--against",
            folder + "/expected.safetensors",
        ])
        #expect(finished.status == 0, "\(finished.output)\(finished.errors)")
        #expect(finished.output.hasSuffix("passed\n"))
    }

    @Test func anotherAdapterFails() throws {
        let other = Checkout.adapter("law")
        let finished = try verify(["--adapter", other, "--against", expected])
        #expect(finished.status == 1)
        #expect(
            finished.output.contains("failed: what is served is not what the reference computes"))
    }

    @Test func theLimitIsTheCallers() throws {
        let arguments = ["--adapter", Checkout.adapter("law"), "--against", expected]
        #expect(try verify(arguments + ["--limit", "100"]).status == 0)
        #expect(try verify(["--adapter", lora, "--against", expected, "--limit", "0"]).status == 1)
    }

    @Test func theLastPositionCounts() throws {
        // The file ends with logits.0: its last row becomes the one before.
        let folder = try TemporaryDirectory()
        let changed = folder.file("changed.safetensors")
        var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: expected)))
        let lastRow = bytes.count - 512 * 4
        bytes.replaceSubrange(lastRow..., with: Array(bytes[lastRow - 512 * 4..<lastRow]))
        try Data(bytes).write(to: URL(fileURLWithPath: changed))
        let report = try #require(
            try verify(["--json", "--adapter", lora, "--against", changed]).events().first)
        #expect(report["passed"]?.boolValue == false)
        let prompt = report["prompts"]?.arrayValue?.first?.objectValue
        #expect(prompt?["position"]?.intValue == 7)
    }

    @Test func filesOfAnotherBaseAreRefused() throws {
        let models = try GraftProcess.run([
            "verify", "--base", base, "--adapter", lora, "--against",
            Checkout.path("Tests/Goldens/adapters/law/adapter_model.safetensors"),
        ])
        #expect(models.status != 0)
        #expect(
            models.errors.contains(
                "has no tensor 'tokens.0': write it with tools/reference export"))
        let missing = try verify(["--adapter", lora, "--against", "/nowhere.safetensors"])
        #expect(missing.status != 0)
        #expect(missing.errors.contains("/nowhere.safetensors: no such file or directory"))
    }

    @Test func theLimitNeedsAReference() throws {
        let finished = try verify(["--adapter", lora, "--limit", "1"])
        #expect(finished.status != 0)
        #expect(finished.errors.contains("--limit needs --against"))
    }
}
