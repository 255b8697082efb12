import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Synchronization
import Testing
import Transformer

/// One adapter of Tests/Goldens/cases: a file as people have it, and what is right with it.
struct Situation: Sendable, CustomTestStringConvertible {
    enum Verdict: Sendable {
        /// Served as the reference serves it; the words are in its warnings.
        case served(warnings: [String])
        /// Refused in a sentence that has these words.
        case refused(words: [String])
    }

    let group: String
    let name: String
    let base: String
    let verdict: Verdict
    let tokens: [Int32]
    /// Of the adapter.
    let path: String

    var testDescription: String { "\(group)/\(name)" }

    static let folder = Checkout.path("Tests/Goldens/cases")
    static let all: [Situation] = (try? load()) ?? []

    /// The reference's log-probabilities, [tokens, vocabulary] flat.
    func expected() throws -> [Float] {
        try SafetensorsFile(path: "\(Self.folder)/\(group)/expected.safetensors")
            .requiredTensor(name).floats()
    }

    private static func load() throws -> [Situation] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted().flatMap { group in
            let file = "\(folder)/\(group)/case.json"
            guard FileManager.default.fileExists(atPath: file) else { return [Situation]() }
            let text = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
            let content = try #require(try JSONValue(parsing: text).objectValue)
            let tokens = GoldenCase.integers(content["tokens"] ?? .null)
            return try #require(content["variants"]?.arrayValue).compactMap(\.objectValue).map {
                try Situation(group: group, tokens: tokens, $0)
            }
        }
    }

    private init(group: String, tokens: [Int32], _ variant: JSONObject) throws {
        func words(_ key: String) -> [String] {
            variant[key]?.arrayValue?.compactMap(\.stringValue) ?? []
        }
        self.group = group
        self.tokens = tokens
        name = try #require(variant["name"]?.stringValue)
        base = try #require(variant["base"]?.stringValue)
        path = "\(Self.folder)/\(group)/\(try #require(variant["path"]?.stringValue))"
        verdict =
            variant["verdict"] == .string("served")
            ? .served(warnings: words("warns")) : .refused(words: words("words"))
    }
}

/// Adapters as people have them, against PEFT: served as there, or refused with the reason.
struct SituationTests {
    private static let bases = Mutex<[String: BaseModel]>([:])

    static func base(_ name: String) throws -> BaseModel {
        if let base = bases.withLock({ $0[name] }) { return base }
        let base = try BaseModel.open(
            path: "\(Situation.folder)/bases/\(name)", pool: GoldenTests.pool, keyValueType: .f32)
        bases.withLock { $0[name] = base }
        return base
    }

    private func read(_ situation: Situation) throws -> LoadedAdapter {
        let base = try Self.base(situation.base)
        return try AdapterReader.read(
            name: "a", path: situation.path, slots: base.slots, base: base, pool: GoldenTests.pool)
    }

    @Test func theSituationsAreThere() {
        #expect(!Situation.all.isEmpty)
    }

    @Test(arguments: Situation.all)
    func itIsServedAsByPEFTOrRefused(situation: Situation) throws {
        switch situation.verdict {
        case .served(let words):
            let adapter = try read(situation)
            let base = try Self.base(situation.base)
            let selected = SelectedOperators(name: "a", operators: adapter.operators, weight: 1)
            let runner = SequenceRunner(
                base: base, plan: try AdapterPlan([selected], slots: base.slots),
                pool: GoldenTests.pool)
            let found = runner.logprobs(situation.tokens)
            let expected = try situation.expected()
            try #require(found.count == expected.count)
            let difference = zip(found, expected).reduce(Float(0)) {
                $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
            }
            #expect(difference < 1e-3)
            let warnings = adapter.warnings.joined(separator: "\n")
            for word in words {
                #expect(warnings.contains(word), "warnings: \(warnings)")
            }
        case .refused(let words):
            let error = #expect(throws: AdapterError.self) { _ = try read(situation) }
            for word in words {
                #expect(error?.description.contains(word) == true, "\(error as Any)")
            }
        }
    }
}
