import Checkpoints
import Foundation
import StrictJSON
import Testing

/// The folder of a training run, given as a directory of adapters.
struct RunFolderTests {
    private static let folder = "\(Situation.folder)/run-folder"
    private static let base = ["--base", "\(Situation.folder)/bases/L3"]

    private func request(_ id: Int, _ adapter: String) -> String {
        #"{"id":\#(id),"tokens":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"adapter":"\#(adapter)","#
            + #""max_tokens":0,"prompt_logprobs":96}"#
    }

    /// The largest difference of a log-probability to PEFT's.
    private func difference(_ events: [JSONObject], to expected: [Float]) throws -> Float {
        let prompt = try #require(events.first { $0["event"]?.stringValue == "prompt" })
        let rows = try #require(prompt["prompt_logprobs"]?.arrayValue).dropFirst()
        try #require(rows.count == 15)
        var largest: Float = 0
        for (index, row) in rows.enumerated() {
            let entries = try #require(row.arrayValue).compactMap(\.objectValue)
            #expect(Set(entries.compactMap { $0["token"]?.intValue }).count == 96)
            for entry in entries {
                let token = try #require(entry["token"]?.intValue)
                let found = Float(try #require(entry["logprob"]?.doubleValue))
                largest = max(largest, abs(found - expected[index * 96 + token]))
            }
        }
        return largest
    }

    @Test func eachAdapterOfARunAnswersByItsName() throws {
        let names = ["train", "reference"]
        let events = try GraftProcess.serve(
            Self.base + ["--adapter-dir", Self.folder + "/run"],
            names.enumerated().map { request($0, $1) } + [#"{"op":"list_adapters","id":9}"#])
        let listed = events.of(9).first?["adapters"]?.arrayValue?.compactMap(\.objectValue)
        #expect(listed?.map { $0["name"]?.stringValue } == ["reference", "train"])
        let file = try SafetensorsFile(path: Self.folder + "/expected.safetensors")
        for (id, name) in names.enumerated() {
            let expected = try file.requiredTensor(name).floats()
            #expect(try difference(events.of(id), to: expected) < 1e-3)
        }
    }

    /// What trainers write: the last adapter at the top, and below it one of each checkpoint, each
    /// beside the state of its optimiser; logs.
    private func runOfATrainer(_ folder: TemporaryDirectory) throws -> String {
        let files = FileManager.default
        let path = folder.file("out")
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (source, target) in [
            ("run/train", "checkpoint-500"), ("run/reference", "checkpoint-1000"),
        ] {
            try files.copyItem(
                atPath: Self.folder + "/" + source, toPath: path + "/" + target)
            for other in ["optimizer.pt", "rng_state.pth", "trainer_state.json"] {
                try Data("{}".utf8).write(
                    to: URL(fileURLWithPath: "\(path)/\(target)/\(other)"))
            }
        }
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            try files.copyItem(
                atPath: "\(Self.folder)/run2/\(file)", toPath: "\(path)/\(file)")
        }
        try Data("# Model".utf8).write(to: URL(fileURLWithPath: path + "/README.md"))
        return path
    }

    @Test func checkpointsAreServedAndTheAdapterAboveThemIsSpokenOf() throws {
        let folder = try TemporaryDirectory()
        let path = try runOfATrainer(folder)
        let file = try SafetensorsFile(path: Self.folder + "/expected.safetensors")
        let server = try LoggedGraft(
            Self.base + ["--socket", "SOCKET", "--adapter-dir", path, "--adapter", "out=\(path)"])
        try server.waitForLog(
            "\(path): is itself an adapter, and only those in it are served: give --adapter "
                + "NAME=\(path) for it")
        let client = try server.connect()
        let listed = try client.ask(#"{"op":"list_adapters"}"#)["adapters"]?.arrayValue
        #expect(
            listed?.compactMap { $0.objectValue?["name"]?.stringValue } == [
                "checkpoint-1000", "checkpoint-500", "out",
            ])
        for (id, name, golden) in [
            (1, "checkpoint-500", "train"), (2, "checkpoint-1000", "reference"),
        ] {
            client.send(request(id, name))
            let prompt = try #require(try client.next())
            #expect(try client.next()?["event"] == .string("done"))
            #expect(
                try difference([prompt], to: file.requiredTensor(golden).floats()) < 1e-3)
        }
        #expect(try client.answer(3, after: request(3, "out"))?["event"] == .string("done"))
    }

    @Test func aFolderThatIsOneAdapterSaysHowToServeIt() throws {
        let path = Self.folder + "/run/train"
        let finished = try GraftProcess.run(["serve"] + Self.base + ["--adapter-dir", path])
        #expect(finished.status != 0)
        #expect(
            finished.errors.contains(
                "\(path): is itself an adapter, and holds no others: give --adapter NAME=\(path)"))
    }

    /// Logs beside checkpoints are no adapter: the server doesn't start, unless it may leave them
    /// out.
    @Test func whatIsNoAdapterIsNamed() throws {
        let folder = try TemporaryDirectory()
        let path = try runOfATrainer(folder)
        try FileManager.default.createDirectory(
            atPath: path + "/runs", withIntermediateDirectories: true)
        let arguments = ["serve"] + Self.base + ["--adapter-dir", path]
        let refused = try GraftProcess.run(arguments)
        #expect(refused.status != 0)
        #expect(refused.errors.contains("\(path)/runs"))
        #expect(refused.errors.contains("adapter_config.json"))
        let served = try GraftProcess.run(
            arguments + ["--skip-bad-adapters"], input: #"{"op":"list_adapters"}"# + "\n")
        #expect(served.status == 0)
        #expect(served.errors.contains("left out: \(path)/runs"))
        let listed = try served.events().first?["adapters"]?.arrayValue
        #expect(listed?.count == 2)
    }
}
