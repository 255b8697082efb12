import Foundation
import StrictJSON
import Testing

/// The commands that write adapters.
struct AdapterToolsEndToEndTests {
    private let base = Checkout.model("tiny-llama")
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func logprobs(_ adapters: [String], _ selection: String) throws -> [Double] {
        let events = try GraftProcess.serve(
            ["--base", base] + adapters.flatMap { ["--adapter", $0] },
            [
                #"{"id":1,"tokens":[1,40,300,77,12,9],"adapter":\#(selection),"max_tokens":0,"prompt_logprobs":0}"#
            ])
        let prompt = events.first { $0["event"]?.stringValue == "prompt" }
        return prompt?["prompt_logprobs"]?.arrayValue?.compactMap {
            $0.arrayValue?.first?.objectValue?["logprob"]?.doubleValue
        } ?? []
    }

    private func expectEqual(_ first: [Double], _ second: [Double], within tolerance: Double) {
        #expect(first.count == 5)
        #expect(zip(first, second).allSatisfy { abs($0 - $1) < tolerance })
    }

    @Test func oneAdapterOfTwoAnswersAsTheirMix() throws {
        let parts = ["law", "medicine"].map { "\($0)=" + Checkout.adapter($0) }
        let out = folder.file("both.lora")
        let combine = try GraftProcess.run(
            [
                "combine", "--adapter", parts[0], "--adapter", parts[1], "--weight", "law=0.6",
                "--weight", "medicine=-0.5", "--method", "cat", "--out", out,
            ])
        #expect(combine.status == 0, "\(combine.errors)")
        #expect(combine.output == "\(out): rank 12 at 21 modules\n")
        expectEqual(
            try logprobs(["both=" + out], #""both""#),
            try logprobs(parts, #"{"law":0.6,"medicine":-0.5}"#), within: 1e-3)
    }

    @Test func anExtractedAdapterAnswersAsTheMergedCheckpoint() throws {
        let (tuned, out) = (folder.file("tuned"), folder.file("law"))
        let law = "law=" + Checkout.adapter("law")
        let merge = try GraftProcess.run(
            ["merge", "--base", base, "--adapter", law, "--out", tuned])
        #expect(merge.status == 0, "\(merge.errors)")
        let extract = try GraftProcess.run(
            ["extract", "--base", base, "--tuned", tuned, "--rank", "8", "--out", out])
        #expect(extract.status == 0, "\(extract.errors)")
        #expect(extract.lines.last == "\(out): energy 100.00 %")
        expectEqual(
            try logprobs(["x=" + out], #""x""#), try logprobs([law], #""law""#), within: 1e-3)
    }

    @Test func aGGUFLoRAIsServedAndConvertedAlike() throws {
        let source = Checkout.path("Tests/Goldens/conversion/llama-cpp-f32.gguf")
        let out = folder.file("peft")
        let convert = try GraftProcess.run(
            ["convert", "--from", source, "--base", base, "--to", "peft", "--out", out])
        #expect(convert.status == 0, "\(convert.errors)")
        let original = Checkout.path("Tests/Goldens/conversion/llama-cpp")
        let expected = try logprobs(["x=" + original], #""x""#)
        for path in [source, out] {
            expectEqual(try logprobs(["x=" + path], #""x""#), expected, within: 1e-6)
        }
    }

    @Test(arguments: [
        (["combine", "--adapter", "a=x", "--method", "ties", "--out", "y"], "needs --density"),
        (
            ["combine", "--adapter", "a=x", "--method", "cat", "--rank", "3", "--out", "y"],
            "--rank has no meaning with --method cat"
        ),
        (
            ["extract", "--base", "b", "--tuned", "t", "--out", "y"],
            "give either --rank or --energy"
        ),
        (["convert", "--from", "a", "--to", "onnx", "--out", "y"], "onnx"),
    ])
    func argumentsAreChecked(arguments: [String], message: String) throws {
        let finished = try GraftProcess.run(arguments)
        #expect(finished.status == 64)
        #expect(finished.errors.contains(message), "\(finished.errors)")
    }
}
