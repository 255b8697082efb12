import Foundation
import StrictJSON
import Testing

/// Where a base says which tokens end an answer, as people's checkpoints do.
struct EndTokenTests {
    /// A file and what it says of the end; `TOKEN` stands for the id, `SPELLING` for its text.
    enum Place: CaseIterable, Sendable {
        case listInConfiguration, listInGeneration, oneOfTwoFiles, tokenizerAlone

        var members: [(file: String, value: String)] {
            switch self {
            case .listInConfiguration:
                [("config.json", "[1023, TOKEN]"), ("generation_config.json", "1023")]
            case .listInGeneration:
                [("config.json", "1023"), ("generation_config.json", "[1023, TOKEN]")]
            case .oneOfTwoFiles:
                [("config.json", "TOKEN"), ("generation_config.json", "1023")]
            case .tokenizerAlone:
                [
                    ("config.json", "null"), ("generation_config.json", "null"),
                    ("tokenizer_config.json", "SPELLING"),
                ]
            }
        }
    }

    private static let tokens = "[1,40,300,7]"

    private func request(_ id: Int, _ adapter: String?, _ extra: String = "") -> String {
        let adapter = adapter.map { "\"\($0)\"" } ?? "null"
        return #"{"id":\#(id),"tokens":\#(Self.tokens),"adapter":\#(adapter),"max_tokens":24,"#
            + #""temperature":0\#(extra)}"#
    }

    private func arguments(_ base: String) -> [String] {
        ["--base", base]
            + ["law", "medicine"].flatMap {
                ["--adapter", "\($0)=" + Checkout.path("models/tiny-demo-adapters/\($0)")]
            }
    }

    /// The demonstration's base with other end tokens.
    private func base(
        _ place: Place, token: Int, spelling: String, in folder: TemporaryDirectory
    ) throws -> String {
        let source = URL(fileURLWithPath: Checkout.model("tiny-demo"))
        for file in ["model.safetensors", "tokenizer.model"] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.file(file),
                withDestinationPath: source.appendingPathComponent(file).path)
        }
        for file in ["config.json", "generation_config.json", "tokenizer_config.json"] {
            let bytes = try [UInt8](Data(contentsOf: source.appendingPathComponent(file)))
            var object = try #require(try JSONValue(parsing: bytes).objectValue)
            if let member = place.members.first(where: { $0.file == file }) {
                let value = member.value.replacing("TOKEN", with: "\(token)")
                    .replacing("SPELLING", with: JSONValue.string(spelling).serialized())
                object["eos_token_id"] = nil
                object[file == "tokenizer_config.json" ? "eos_token" : "eos_token_id"] =
                    try JSONValue(parsing: value)
            }
            try Data(JSONValue.object(object).serialized().utf8).write(
                to: URL(fileURLWithPath: folder.file(file)))
        }
        return folder.path
    }

    /// An answer that nothing ends, and the first of its tokens that is a piece of text, differs
    /// from all before and isn't the first.
    private func unended(
        _ adapter: String?
    ) throws -> (answer: [Int], place: Int, spelling: String) {
        let base = Checkout.model("tiny-demo")
        let events = try GraftProcess.serve(
            arguments(base), [request(1, adapter, #","ignore_eos":true,"logprobs":0"#)])
        let answer = try #require(events.done(1)).tokens
        let texts = events.of(1).filter { $0["event"]?.stringValue == "token" }
            .map { $0["text"]?.stringValue ?? "" }
        let place = try #require(
            answer.indices.first { index in
                index > 1 && !answer[..<index].contains(answer[index]) && answer[index] < 1023
                    && texts[index].count > 1 && texts[index].allSatisfy { $0.isASCII }
            })
        return (answer, place, texts[place].replacing(" ", with: "\u{2581}"))
    }

    /// Of several files each counts, which differs from transformers where they contradict each
    /// other: there generation_config.json alone would.
    @Test(arguments: Place.allCases, [nil, "law"])
    func anAnswerEndsAtEachOfThem(place: Place, adapter: String?) throws {
        let (answer, end, spelling) = try unended(adapter)
        let folder = try TemporaryDirectory()
        let base = try base(place, token: answer[end], spelling: spelling, in: folder)
        for guesses in [0, 8] {
            let events = try GraftProcess.serve(
                arguments(base) + ["--draft-tokens", "\(guesses)"],
                [
                    request(1, adapter), request(2, adapter, #","stream":false"#),
                    request(3, adapter, #","ignore_eos":true"#),
                ])
            let texts = events.of(1).filter { $0["event"]?.stringValue == "token" }
                .map { $0["text"]?.stringValue ?? "" }
            for id in [1, 2] {
                let done = try #require(events.done(id))
                #expect(done["finish_reason"] == .string("stop"))
                #expect(done.tokens == Array(answer[..<end]))
                #expect(done["text"]?.stringValue == texts.joined())
                #expect(done["usage"]?.objectValue?["completion_tokens"]?.intValue == end)
            }
            #expect(events.done(3)?.tokens == answer)
        }
    }
}
