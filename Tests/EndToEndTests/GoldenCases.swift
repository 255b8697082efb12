import Checkpoints
import Foundation
import StrictJSON
import Testing

/// One case of Tests/Goldens/manifest.json: a base, a selection of adapters, and what transformers
/// and PEFT compute with them.
struct GoldenCase: Sendable, CustomTestStringConvertible {
    let id: String
    let base: String
    let adapters: [(name: String, weight: Float)]
    let prompts: [[Int32]]
    /// Greedy tokens after each prompt, and how far the likeliest was ahead of the second.
    let greedy: [(tokens: [Int32], margins: [Double])]
    /// How far transformers' own bf16 run is from f32 arithmetic; nil for other types.
    let referenceDistance: Double?

    var testDescription: String { id }

    /// True for a base of 8-bit or 4-bit blocks, whose products take rows rounded to blocks of
    /// bytes; the reference rounds them likewise.
    var hasBlocks: Bool { base.hasSuffix("_0.gguf") || base.hasSuffix("_1.gguf") }

    /// Largest allowed difference of a log-probability.
    var tolerance: Float { referenceDistance.map(Float.init) ?? 1e-3 }

    /// The reference's logits of one prompt, [tokens, vocabulary] flat.
    func logits(prompt: Int) throws -> [Float] {
        try Self.tensors.requiredTensor("\(id).\(prompt)").floats()
    }

    /// Logits of one prompt with rows as they are, for bases with blocks.
    func exactLogits(prompt: Int) throws -> [Float] {
        try Self.tensors.requiredTensor("\(id).\(prompt).exact").floats()
    }

    static let all: [GoldenCase] = (try? load()) ?? []

    private static let tensors: SafetensorsFile = {
        guard
            let file = try? SafetensorsFile(path: Checkout.path("Tests/Goldens/logits.safetensors"))
        else { preconditionFailure("Tests/Goldens/logits.safetensors can't be read") }
        return file
    }()

    private static func load() throws -> [GoldenCase] {
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: Checkout.path("Tests/Goldens/manifest.json"))))
        let cases = try JSONValue(parsing: text).objectValue?["cases"]?.arrayValue ?? []
        return cases.compactMap { $0.objectValue.flatMap(GoldenCase.init) }
    }

    private init?(_ object: JSONObject) {
        guard let id = object["id"]?.stringValue, let base = object["base"]?.stringValue,
            let adapters = object["adapters"]?.objectValue,
            let prompts = object["prompts"]?.arrayValue, let greedy = object["greedy"]?.arrayValue
        else { return nil }
        self.id = id
        self.base = base
        self.adapters = adapters.map { ($0.key, Float($0.value.doubleValue ?? .nan)) }
        self.prompts = prompts.map(Self.integers)
        self.greedy = greedy.map { entry in
            (
                Self.integers(entry.objectValue?["tokens"] ?? .null),
                entry.objectValue?["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? []
            )
        }
        referenceDistance = object["reference_distance"]?.doubleValue
    }

    static func integers(_ value: JSONValue) -> [Int32] {
        value.arrayValue?.compactMap { $0.intValue.map(Int32.init) } ?? []
    }
}
