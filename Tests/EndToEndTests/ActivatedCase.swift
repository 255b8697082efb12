import Checkpoints
import Foundation
import StrictJSON
import Testing

/// One case of Tests/Goldens/activated/manifest.json: an adapter that acts from its invocation
/// tokens on, a prompt, and what PEFT computes.
struct ActivatedCase: Sendable, CustomTestStringConvertible {
    let id: String
    let base: String
    let adapter: String
    let prompt: [Int32]
    /// What PEFT's generate makes of the prompt, and how far each token was ahead of the second.
    let tokens: [Int32]
    let margins: [Double]
    /// How far PEFT's own bf16 run is from f32 arithmetic; nil for f32 bases.
    let referenceDistance: Double?

    var testDescription: String { id }

    /// Largest allowed difference of a log-probability.
    var tolerance: Float { referenceDistance.map(Float.init) ?? 1e-3 }

    var adapterPath: String { Self.path(adapter) }

    static func path(_ name: String) -> String { Checkout.path("Tests/Goldens/activated/\(name)") }

    /// PEFT's logits, [tokens, vocabulary] flat.
    func logits() throws -> [Float] { try Self.tensors.requiredTensor(id).floats() }

    static let all: [ActivatedCase] = (try? load()) ?? []

    static func named(_ id: String) throws -> ActivatedCase {
        try #require(all.first { $0.id == id })
    }

    private static let tensors: SafetensorsFile = {
        guard let file = try? SafetensorsFile(path: path("logits.safetensors")) else {
            preconditionFailure("Tests/Goldens/activated/logits.safetensors can't be read")
        }
        return file
    }()

    private static func load() throws -> [ActivatedCase] {
        let text = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path("manifest.json"))))
        let cases = try JSONValue(parsing: text).objectValue?["cases"]?.arrayValue ?? []
        return cases.compactMap { $0.objectValue.flatMap(ActivatedCase.init) }
    }

    private init?(_ object: JSONObject) {
        guard let id = object["id"]?.stringValue, let base = object["base"]?.stringValue,
            let adapter = object["adapter"]?.stringValue, let prompt = object["prompt"],
            let greedy = object["greedy"]?.objectValue
        else { return nil }
        self.id = id
        self.base = base
        self.adapter = adapter
        self.prompt = GoldenCase.integers(prompt)
        tokens = GoldenCase.integers(greedy["tokens"] ?? .null)
        margins = greedy["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? []
        referenceDistance = object["reference_distance"]?.doubleValue
    }
}
