import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Tokenization
import Transformer

/// Adapters that were saved with a tokenizer or a chat template of their own, against transformers
/// and PEFT: Tests/Goldens/tokenizers.
struct OwnTokenizerTests {
    private static let folder = Checkout.path("Tests/Goldens/tokenizers")
    private static let pool = GoldenTests.pool

    struct Request: Sendable {
        let name: String
        /// `prompt` or `messages`, as JSON.
        let field: String
        let value: JSONValue
        let tokens: [Int]
        let answer: [Int]
        let margins: [Double]
        let text: String
    }

    private static let requests: [Request] = (try? load()) ?? []

    private static func load() throws -> [Request] {
        let text = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/manifest.json")))
        let cases = try JSONValue(parsing: text).objectValue?["cases"]?.arrayValue ?? []
        return cases.compactMap(\.objectValue).flatMap { entry in
            (entry["requests"]?.arrayValue ?? []).compactMap(\.objectValue).map { request in
                let field = request["prompt"] == nil ? "messages" : "prompt"
                return Request(
                    name: entry["name"]?.stringValue ?? "", field: field,
                    value: request[field] ?? .null,
                    tokens: GoldenCase.integers(request["tokens"] ?? .null).map(Int.init),
                    answer: GoldenCase.integers(request["answer"] ?? .null).map(Int.init),
                    margins: request["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? [],
                    text: request["text"]?.stringValue ?? "")
            }
        }
    }

    private func registry() throws -> AdapterRegistry {
        AdapterRegistry(
            base: try BaseModel.open(path: Self.folder + "/base", pool: Self.pool), pool: Self.pool)
    }

    private func tokenizer(_ directory: String) throws -> AdapterTokenizer? {
        let registry = try registry()
        try registry.load(name: "a", path: directory)
        return try registry.lease([SelectionEntry(name: "a")]).tokenizer
    }

    /// A copy of a golden's folder that a test may change.
    private func copy(of name: String, in directory: TemporaryDirectory) throws -> String {
        let copy = directory.file(name)
        try FileManager.default.copyItem(atPath: Self.folder + "/" + name, toPath: copy)
        return copy
    }

    private func change(
        _ file: String, _ body: (inout JSONObject) -> Void
    ) throws {
        let url = URL(fileURLWithPath: file)
        var object = try #require(
            try JSONValue(parsing: [UInt8](Data(contentsOf: url))).objectValue)
        body(&object)
        try Data(JSONValue.object(object).serialized().utf8).write(to: url)
    }

    @Test func theGoldensAreThere() {
        #expect(Self.requests.count == 10)
    }

    @Test(arguments: ["added", "template"])
    func textBecomesTheTokensOfTransformers(name: String) throws {
        let own = try #require(try tokenizer(Self.folder + "/" + name)).tokenizer
        for request in Self.requests where request.name == name {
            let tokens: [Int]
            if let text = request.value.stringValue {
                tokens = try own.encode(text, addingSpecialTokens: true)
            } else {
                let messages = try #require(request.value.arrayValue).compactMap(\.objectValue)
                tokens = try own.encode(
                    conversation: messages.map {
                        ChatMessage(
                            role: $0["role"]?.stringValue ?? "",
                            content: $0["content"]?.stringValue ?? "")
                    })
            }
            #expect(tokens == request.tokens, "\(name): \(request.value)")
        }
        #expect(own.endTokens.contains(name == "added" ? 513 : 2))
    }

    @Test func oneServerAnswersEachInItsOwnTokens() throws {
        let adapters = ["added", "template"].flatMap {
            ["--adapter", "\($0)=\(Self.folder)/\($0)"]
        }
        let plain = #""max_tokens":8,"temperature":0,"stream":false,"ignore_eos":true"#
        var lines = Self.requests.enumerated().map { index, request in
            #"{"id":\#(index),"\#(request.field)":\#(request.value.serialized()),"#
                + #""adapter":"\#(request.name)",\#(plain)}"#
        }
        // The base's own requests are read by its own tokenizer, which has none of these tokens.
        let text = #""prompt":"A §§ contract<|law|> is""#
        lines.append(#"{"id":100,\#(text),\#(plain)}"#)
        lines.append(#"{"id":101,"tokens":[1,2],"adapter":{"added":1,"template":1},\#(plain)}"#)
        lines.append(#"{"id":102,"tokens":[1,514],"adapter":"template",\#(plain)}"#)
        let events = try GraftProcess.serve(
            ["--base", Self.folder + "/base"] + adapters, lines)
        for (index, request) in Self.requests.enumerated() {
            let done = try #require(events.done(index), "\(events.of(index).first as Any)")
            #expect(
                done["usage"]?.objectValue?["prompt_tokens"]?.intValue == request.tokens.count)
            let sure = request.margins.firstIndex { $0 < 4e-3 } ?? request.answer.count
            #expect(Array(done.tokens.prefix(sure)) == Array(request.answer.prefix(sure)))
            if sure == request.answer.count, !request.text.contains("\u{FFFD}") {
                #expect(
                    done["text"]?.stringValue?.trimmingPrefix(" ")
                        == request.text.trimmingPrefix(" "))
            }
        }
        #expect(
            events.done(100)?["usage"]?.objectValue?["prompt_tokens"]?.intValue
                == Self.requests.first {
                    $0.name == "template" && $0.value.stringValue == "A §§ contract<|law|> is"
                }?.tokens.count)
        let refusal = events.of(101).first
        #expect(
            refusal?["message"]?.stringValue
                == "adapters 'added' and 'template' were saved with different tokenizers or chat "
                + "templates, and a request has one: drop one of them")
        #expect(
            events.of(102).first?["message"]?.stringValue?
                .contains("token 514; the vocabulary has ids 0…511") == true)
    }

    @Test func filesThatSayTheSameShareOneTokenizer() throws {
        let directory = try TemporaryDirectory()
        let other = try copy(of: "added", in: directory)
        try change(other + "/tokenizer.json") {
            $0["padding"] = .object(["direction": .string("Left")])
        }
        try change(other + "/tokenizer_config.json") { $0["model_max_length"] = .integer(7) }
        let registry = try registry()
        try registry.load(name: "a", path: Self.folder + "/added")
        try registry.load(name: "b", path: other)
        let first = try registry.lease([SelectionEntry(name: "a")])
        let second = try registry.lease([SelectionEntry(name: "b")])
        let own = try #require(first.tokenizer)
        #expect(second.tokenizer === own)
        #expect(first.key != second.key)
    }

    /// Those of adapters in memory are told of, each once.
    @Test func theMemoryOfTokenizersIsReported() async throws {
        let registry = try registry()
        #expect(registry.memory.tokenizerCount == 0)
        #expect(registry.memory.tokenizerByteCount == 0)
        let file = Self.folder + "/added/tokenizer.json"
        let fileByteCount = try Data(contentsOf: URL(fileURLWithPath: file)).count
        for name in ["a", "b"] {
            try registry.load(name: name, path: Self.folder + "/added")
            #expect(registry.memory.tokenizerCount == 1)
        }
        let one = registry.memory.tokenizerByteCount
        #expect(one > fileByteCount)
        try registry.load(name: "c", path: Self.folder + "/template")
        #expect(registry.memory.tokenizerCount == 2)
        #expect(registry.memory.tokenizerByteCount > one)
        // A request that is in flight keeps its own.
        var lease: SelectionLease? = try registry.lease([SelectionEntry(name: "c")])
        async let unloaded: Void = registry.unload(name: "c")
        try await waitUntil { registry.list().count == 2 }
        #expect(registry.memory.tokenizerCount == 2)
        lease = nil
        #expect(lease == nil)
        try await unloaded
        for name in ["a", "b"] { try await registry.unload(name: name) }
        try await waitUntil { registry.memory.tokenizerCount == 0 }
        #expect(registry.memory.tokenizerByteCount == 0)
    }

    @Test func theBasesOwnFilesMakeNoOther() throws {
        let directory = try TemporaryDirectory()
        let adapter = try copy(of: "template", in: directory)
        try FileManager.default.removeItem(atPath: adapter + "/chat_template.jinja")
        for name in ["tokenizer.model", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                atPath: Self.folder + "/base/" + name, toPath: adapter + "/" + name)
        }
        #expect(try tokenizer(adapter) == nil)
    }

    /// In directories of other libraries as well.
    @Test func anAdapterOfAnotherLibraryHasItsOwn() throws {
        let directory = try TemporaryDirectory()
        let loralib = directory.file("loralib")
        _ = try AdapterConversion(from: Self.folder + "/template").write(
            as: .loralib, to: loralib)
        #expect(try tokenizer(loralib) == nil)
        let template = Self.folder + "/template/chat_template.jinja"
        try FileManager.default.copyItem(
            atPath: template, toPath: loralib + "/chat_template.jinja")
        let own = try #require(try tokenizer(loralib)?.tokenizer.requireChatTemplate())
        let expected = try tokenizer(Self.folder + "/template")?.tokenizer.requireChatTemplate()
        #expect(own == expected)

        let hub = directory.file("hub")
        try FileManager.default.copyItem(
            atPath: Checkout.path("Tests/Goldens/adapterhub/houlsby"), toPath: hub)
        let base = try GoldenTests.base("tiny-llama")
        let registry = AdapterRegistry(base: base, pool: Self.pool)
        try registry.load(name: "without", path: hub)
        #expect(try registry.lease([SelectionEntry(name: "without")]).tokenizer == nil)
        try FileManager.default.copyItem(atPath: template, toPath: hub + "/chat_template.jinja")
        try registry.load(name: "with", path: hub)
        let lease = try registry.lease([SelectionEntry(name: "with")])
        #expect(try lease.tokenizer?.tokenizer.requireChatTemplate() == expected)
    }

    @Test func packingKeepsTheTokenizer() throws {
        let directory = try TemporaryDirectory()
        let packed = directory.file("added.lora")
        let report = try AdapterPacking.pack(from: Self.folder + "/added", to: packed)
        let registry = try registry()
        #expect(try registry.load(name: "d", path: Self.folder + "/added").hash == report.hash)
        #expect(try registry.load(name: "l", path: packed).hash == report.hash)
        let lease = try registry.lease([SelectionEntry(name: "l")])
        let text = try #require(Self.requests.first { $0.name == "added" })
        #expect(
            try lease.tokenizer?.tokenizer.encode(
                text.value.stringValue ?? "", addingSpecialTokens: true) == text.tokens)
    }

    /// What merging writes is opened again: the merged model has the adapter's tokens and template.
    @Test(arguments: ["added", "template"], ["merged", "merged.bin"])
    func aMergedCheckpointHasTheAdaptersTokenizer(name: String, output: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file(output)
        let run = try GraftProcess.run([
            "merge", "--base", Self.folder + "/base", "--adapter", "a=\(Self.folder)/\(name)",
            "--out",
            path,
        ])
        #expect(run.status == 0, "\(run.errors)")
        let requests = Self.requests.filter { $0.name == name }
        let lines = requests.enumerated().map { index, request in
            #"{"id":\#(index),"\#(request.field)":\#(request.value.serialized()),"max_tokens":8,"#
                + #""temperature":0,"stream":false,"ignore_eos":true}"#
        }
        let events = try GraftProcess.serve(["--base", path], lines)
        for (index, request) in requests.enumerated() {
            let done = try #require(events.done(index), "\(events.of(index).first as Any)")
            #expect(
                done["usage"]?.objectValue?["prompt_tokens"]?.intValue == request.tokens.count)
            let sure = request.margins.firstIndex { $0 < 4e-3 } ?? request.answer.count
            #expect(Array(done.tokens.prefix(sure)) == Array(request.answer.prefix(sure)))
        }
    }

    @Test func twoTokenizersDoNotMerge() throws {
        let directory = try TemporaryDirectory()
        let run = try GraftProcess.run([
            "merge", "--base", Self.folder + "/base", "--adapter", "a=\(Self.folder)/added",
            "--adapter",
            "b=\(Self.folder)/template", "--out", directory.file("merged"),
        ])
        #expect(run.status != 0)
        #expect(run.errors.contains("were saved with different tokenizers or chat templates"))
    }

    @Test func aTokenizerIsPartOfTheIdentity() throws {
        let directory = try TemporaryDirectory()
        let adapter = try copy(of: "template", in: directory)
        let registry = try registry()
        let before = try registry.load(name: "a", path: adapter).hash
        try Data("{{ '[INST] ' + message['content'] + ' [/INST]' }}".utf8).write(
            to: URL(fileURLWithPath: adapter + "/chat_template.jinja"))
        #expect(try registry.load(name: "a", path: adapter).hash != before)
    }

    @Test(arguments: [
        ("tokenizer.json", "{", "tokenizer.json: not JSON"),
        ("tokenizer.json", #"{"model":{"type":"WordPiece"}}"#, "tokenizer model"),
        ("chat_template.jinja", "\u{FFFD}", "not UTF-8"),
        ("tokenizer_config.json", "[]", "must hold a JSON object, found an array"),
        ("added_tokens.json", #"{"x":700}"#, "the next free id is 512"),
    ])
    func whatIsNoTokenizerIsRefused(name: String, text: String, reason: String) throws {
        let directory = try TemporaryDirectory()
        let adapter = try copy(of: "template", in: directory)
        // Bytes that are no UTF-8 in place of the replacement character.
        let bytes = text == "\u{FFFD}" ? [0xFF, 0xFE] : [UInt8](text.utf8)
        try Data(bytes).write(to: URL(fileURLWithPath: adapter + "/" + name))
        let error = #expect(throws: AdapterError.self) { try tokenizer(adapter) }
        #expect(error?.description.contains(reason) == true, "\(error as Any)")
        #expect(error?.description.contains(adapter) == true, "\(error as Any)")
    }

    /// Trainers copy the base's whole tokenizer beside an adapter: nothing is added by that.
    @Test func copiedFilesAddNothing() throws {
        let directory = try TemporaryDirectory()
        let adapter = try copy(of: "template", in: directory)
        try Data(#"{"<s>": 1, "</s>": 2}"#.utf8).write(
            to: URL(fileURLWithPath: adapter + "/added_tokens.json"))
        try Data(#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}}"#.utf8).write(
            to: URL(fileURLWithPath: adapter + "/special_tokens_map.json"))
        try FileManager.default.copyItem(
            atPath: Self.folder + "/base/tokenizer_config.json",
            toPath: adapter + "/tokenizer_config.json")
        let registry = try registry()
        let listing = try registry.load(name: "a", path: adapter)
        #expect(listing.warnings.isEmpty, "\(listing.warnings)")
        let own = try #require(try registry.lease([SelectionEntry(name: "a")]).tokenizer)
        #expect(own.tokenizer.tokenCount == 512)
        #expect(own.endTokens.contains(2))
    }

    @Test func tokensWithoutRowsAreSaid() throws {
        let directory = try TemporaryDirectory()
        let adapter = try copy(of: "template", in: directory)
        try Data(#"{"[PAD]": 512}"#.utf8).write(
            to: URL(fileURLWithPath: adapter + "/added_tokens.json"))
        let listing = try registry().load(name: "a", path: adapter)
        #expect(
            listing.warnings.contains {
                $0.hasSuffix(
                    "the adapter's tokenizer has 513 tokens and the embedding 512 rows: text with the "
                        + "further tokens is refused")
            }, "\(listing.warnings)")
    }

    /// Trainers save a tokenizer beside nearly every adapter: its files are looked at, not parsed.
    @Test(arguments: ["own", "base's", "own, packed"])
    func adaptersWithATokenizerComeBackByTheirValues(kind: String) throws {
        let folder = try TemporaryDirectory()
        var path = try copy(of: "template", in: folder)
        if kind == "base's" {
            let files = FileManager.default
            for name in try files.contentsOfDirectory(atPath: path)
            where !name.hasPrefix("adapter_") {
                try files.removeItem(atPath: path + "/" + name)
            }
            for name in try files.contentsOfDirectory(atPath: Self.folder + "/base")
            where name.hasPrefix("tokenizer") {
                try files.copyItem(
                    atPath: Self.folder + "/base/" + name, toPath: path + "/" + name)
            }
        }
        if kind == "own, packed" {
            _ = try AdapterPacking.pack(from: path, to: folder.file("a.lora"))
            path = folder.file("a.lora")
        }
        let whole = try registry()
        let hash = try whole.load(name: "a", path: path).hash
        let registry = try registry()
        try registry.register(name: "a", path: path)
        for _ in 0..<3 {
            let lease = try registry.lease([SelectionEntry(name: "a")])
            #expect(registry.resident("a")?.isFromKnownFiles == true)
            #expect(lease.entries[0].hash == hash)
            #expect((lease.tokenizer == nil) == (kind == "base's"))
            lease.release()
            registry.dropIdle()
        }
        guard kind != "own, packed" else { return }
        let changed = kind == "own" ? "/chat_template.jinja" : "/tokenizer_config.json"
        let handle = try #require(FileHandle(forWritingAtPath: path + changed))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(" ".utf8))
        try handle.close()
        #expect(throws: AdapterError.changedSinceRegistered(name: "a", path: path)) {
            try registry.lease([SelectionEntry(name: "a")])
        }
    }
}
