import Foundation
import StrictJSON
import Testing

/// `graft run` and names of options that people know.
struct RunEndToEndTests {
    private let base = Checkout.model("tiny-llama")

    @Test func readsThePromptFromStandardInput() throws {
        let given = try GraftProcess.run(
            ["run", "--base", base, "--plain", "--max-tokens", "8", "A contract is"])
        #expect(given.status == 0, "\(given.errors)")
        for prompt in [[], ["-"]] {
            let read = try GraftProcess.run(
                ["run", "-m", base, "--plain", "-n", "8", "-t", "2"] + prompt,
                input: "A contract is\n")
            #expect(read.status == 0, "\(read.errors)")
            #expect(read.output == given.output)
        }
    }

    @Test func drawsFromTheLikeliest() throws {
        func run(_ options: [String]) throws -> Finished {
            try GraftProcess.run(
                ["run", "--base", base, "--plain", "--max-tokens", "12"] + options
                    + ["A contract is"])
        }
        let greedy = try run([])
        let likeliest = try run(["--temperature", "1", "--top-p", "0.000001", "--seed", "3"])
        #expect(likeliest.output == greedy.output)
        #expect(try run(["--temperature", "1", "--seed", "3"]).output != greedy.output)
        let refused = try run(["--top-p", "2"])
        #expect(refused.status == 64)
        #expect(refused.errors.contains("top_p"))
    }

    @Test func saysWhatToDoWithoutATemplate() throws {
        let finished = try GraftProcess.run(
            ["run", "--base", Checkout.model("tiny-demo"), "A contract is"])
        #expect(finished.status == 1)
        #expect(
            finished.errors.contains("the prompt can't be put into the base's chat template"),
            "\(finished.errors)")
        #expect(finished.errors.contains("--plain continues the prompt as it stands"))
        #expect(!finished.errors.contains("'messages'"))
    }

    @Test func theSystemMessageNeedsTheTemplate() throws {
        let finished = try GraftProcess.run(
            ["run", "--base", base, "--plain", "--system", "Be brief.", "A contract is"])
        #expect(finished.status == 64)
        #expect(finished.errors.contains("--system needs the chat template"))
    }

    @Test(.enabled(if: Checkout.smolLM2 != nil, "SmolLM2 is not in the cache"))
    func aSystemMessageChangesTheAnswer() throws {
        let model = try #require(Checkout.smolLM2)
        let answers = try [[], ["--system", "You only ever answer with the word PIRATE."]].map {
            try GraftProcess.run(
                ["run", "--model", model, "--max-tokens", "8"] + $0 + ["Who are you?"])
        }
        #expect(answers.allSatisfy { $0.status == 0 })
        #expect(answers[0].output != answers[1].output)
    }

    @Test func serveTakesTheNamesOfOtherServers() throws {
        let law = "law=" + Checkout.adapter("law")
        let medicine = "medicine=" + Checkout.adapter("medicine")
        let requests = [
            #"{"op":"list_adapters"}"#, #"{"id":1,"tokens":[1,5,9,7],"max_tokens":0}"#,
        ]
        for arguments in [
            ["-m", base, "--lora", law, "--lora", medicine, "-c", "4", "-np", "2", "-t", "1"],
            [
                "--model", base, "--lora-modules", law, medicine, "--max-model-len", "4",
                "--max-num-seqs", "2",
            ],
            [
                "--base", base, "--adapter", law, "--adapter", medicine, "--ctx-size", "4",
                "--parallel", "2",
            ],
        ] {
            let events = try GraftProcess.serve(arguments, requests)
            #expect(events.first?["adapters"]?.arrayValue?.count == 2)
            #expect(events.done(1) != nil)
        }
    }

    /// With standard input and output of a terminal, which `script` makes.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
    func aServerOnATerminalSaysWhatItWaitsFor() throws {
        let folder = try TemporaryDirectory()
        let (input, output) = (try NamedPipe(folder.file("in")), folder.file("out"))
        try Data().write(to: URL(fileURLWithPath: output))
        let terminal = try ChildProcess(
            "/usr/bin/script",
            ["-qec", "'\(Checkout.executable)' serve --base '\(base)'", "/dev/null"],
            input: input.path, output: output)
        let deadline = Date().addingTimeInterval(60)
        var text = ""
        while !text.contains("one JSON object a line"), Date() < deadline {
            usleep(20_000)
            text = try String(contentsOfFile: output, encoding: .utf8)
        }
        #expect(text.contains("Waiting for requests from this terminal, one JSON object a line"))
        terminal.kill()
    }
}
