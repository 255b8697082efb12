import Adapters
import Dispatch
import Engine
import Foundation
import Kernels
import Logging
import Serving
import StrictJSON
import Synchronization
import Tokenization
import Transformer

/// Lines of a client of the line protocol, to a server in this process.
struct LineTarget: FuzzTarget {
    static let name = "line"
    private static let file = "lines.jsonl"
    /// Within which everything that was accepted is answered.
    private static let secondsLimit = 15
    private static let seeds = [
        #"{"id":1,"prompt":"A contract is","adapter":"law","max_tokens":2,"temperature":0}"#,
        #"{"id":"a","tokens":[1,40,300],"adapter":{"law":0.5,"medicine":-0.3},"max_tokens":1,"logprobs":2}"#,
        #"{"id":2,"messages":[{"role":"user","content":"Hi"}],"max_tokens":3,"stop":["a","b"],"seed":7}"#,
        #"{"id":3,"tokens":[1,5,6],"max_tokens":0,"prompt_logprobs":3,"stream":false,"priority":-5}"#,
        #"{"id":4,"prompt":"x","temperature":0.8,"top_k":5,"top_p":0.9,"min_p":0.1,"max_tokens":2,"repetition_penalty":1.2,"presence_penalty":0.5,"frequency_penalty":0.1,"logit_bias":{"5":3},"ignore_eos":true,"timeout_ms":5000}"#,
        #"{"op":"tokenize","id":5,"text":"é 🎉","special_tokens":"text"}"#,
        #"{"op":"detokenize","id":6,"tokens":[3,4,5]}"#,
        #"{"op":"list_adapters","id":7}"#, #"{"op":"stats","id":8}"#,
    ]

    private let service: Service
    private let mutations: JSONMutations

    /// What a refused line is answered with.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    init(checkout: String) throws {
        let pool = WorkerPool(threadCount: 1)
        let base = try BaseModel.open(path: checkout + "/models/tiny-llama", pool: pool)
        let registry = AdapterRegistry(base: base)
        for name in ["law", "medicine"] {
            try registry.load(name: name, path: checkout + "/Tests/Goldens/adapters/" + name)
        }
        service = Service(
            context: ServerContext(
                generator: GenerationEngine(base: base, pool: pool), adapters: registry,
                tokenizer: try base.tokenizer.map { (assets) throws in
                    try TokenizerLoader.load(assets)
                }, rowCount: base.slots.vocabularyCount,
                logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }))
        mutations = JSONMutations(
            keys: Self.seeds.reduce(into: Set<String>()) {
                $0.formUnion((try? JSONValue(parsing: $1))?.allKeys ?? [])
            }.sorted() + ["op", "id", "load_adapter", "path", "name", "cancel"])
    }

    var seedCount: Int { Self.seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput([Self.file: Array((Self.seeds[index] + "\n").utf8)])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var bytes: [UInt8] = []
        for _ in 0...random.below(3) {
            let seed = Self.seeds[random.oneIn(2) ? index : random.below(Self.seeds.count)]
            guard let value = try? JSONValue(parsing: seed) else { continue }
            bytes += mutations.mutatedText(value, &random) + [UInt8(ascii: "\n")]
        }
        if random.oneIn(5) { ByteMutations.mutate(&bytes, &random) }
        return FuzzInput([Self.file: bytes])
    }

    func read(_ directory: String) throws {
        let input = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + Self.file))
        let output = Output()
        let session = service.makeSession(rights: .user) { line in output.append(line) }
        defer { session.close() }
        var framer = LineFramer(limit: 1 << 20)
        input.withUnsafeBytes { bytes in framer.append(bytes) { session.receive($0) } }
        framer.finish { session.receive($0) }
        let end = DispatchSemaphore(value: 0)
        session.endInput { end.signal() }
        precondition(
            end.wait(timeout: .now() + .seconds(Self.secondsLimit)) == .success,
            "accepted requests were not answered")
        for line in output.lines {
            let event = try JSONValue(parsing: line).objectValue
            guard event?["event"] == .string("error") else { continue }
            throw Refusal(description: event?["message"]?.stringValue ?? "an error without words")
        }
    }

    private final class Output: Sendable {
        private let text = Mutex("")

        func append(_ line: String) { text.withLock { $0 += line } }

        var lines: [String] { text.withLock { $0.split(separator: "\n").map(String.init) } }
    }
}
