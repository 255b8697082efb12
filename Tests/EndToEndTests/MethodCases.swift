import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// One case of the manifests in Tests/Goldens/methods, Tests/Goldens/adapterhub and
/// Tests/Goldens/formats: an adapter of one of PEFT's or AdapterHub's methods, or in another
/// library's format, on a small base, and what the library or its formula computes with it.
struct MethodCase: Sendable, CustomTestStringConvertible {
    let id: String
    let base: String
    private let method: String
    /// Below the manifest's folder.
    let adapters: [(name: String, weight: Float)]
    let prompts: [[Int32]]
    let greedy: [(tokens: [Int32], margins: [Double])]
    /// True where PEFT merges it.
    let merges: Bool
    private let referenceDistance: Double?

    var testDescription: String { id }

    /// Largest allowed difference of a log-probability.
    var tolerance: Float { Self.tolerance(referenceDistance: referenceDistance) }

    /// References are computed in f32 arithmetic from the weights as stored; a processor that
    /// multiplies bf16 rounds rows as well, as the reference's own run in that type does. Neither's
    /// errors bound the other's, but they are of one size.
    ///
    /// - Parameter referenceDistance: how far that run is from f32 arithmetic; nil where bases are
    ///   f32.
    static func tolerance(referenceDistance: Double?) -> Float {
        guard InstructionSet.current == .avx512bf16, let referenceDistance else { return 2e-3 }
        return max(2e-3, 1.5 * Float(referenceDistance))
    }

    func path(_ name: String) -> String {
        Checkout.path("Tests/Goldens/\(id.prefix { $0 != "/" })/\(name)")
    }

    /// The case's name within a server.
    var adapterName: String { id.map { $0 == "/" ? "-" : "\($0)" }.joined() }

    /// What stands for PEFT's spelling of the method.
    func peftType() throws -> String {
        // PEFT has no file of its own for it.
        if method == "arrow" { return "ARROW" }
        return try AdapterInspection(path: path(adapters[0].name)).peftType
    }

    /// The case's adapters on its base, with their weights.
    func loadedAdapters() throws -> [(adapter: LoadedAdapter, weight: Float)] {
        let base = try GoldenTests.base(base)
        return try adapters.map {
            let adapter = try AdapterReader.read(
                name: $0.name, path: path($0.name), slots: base.slots, base: base,
                pool: GoldenTests.pool)
            return (adapter, $0.weight)
        }
    }

    func loadedBase() throws -> BaseModel { try GoldenTests.base(base) }

    /// PEFT's logits of one prompt, [tokens, vocabulary] flat.
    func logits(prompt: Int) throws -> [Float] {
        try expected().requiredTensor("logits.\(prompt)").floats()
    }

    /// The logits after `merge_and_unload`, where they are other than those before.
    func mergedLogits(prompt: Int) throws -> [Float]? {
        try expected().tensor("merged.\(prompt)")?.floats()
    }

    private func expected() throws -> SafetensorsFile {
        try SafetensorsFile(
            path: Checkout.path("Tests/Goldens/\(id)/expected.safetensors"))
    }

    static let all: [MethodCase] = ["methods", "adapterhub", "formats", "older-peft"].flatMap {
        (try? load($0)) ?? []
    }

    private static func load(_ folder: String) throws -> [MethodCase] {
        let path = Checkout.path("Tests/Goldens/\(folder)/manifest.json")
        let text = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let cases = try JSONValue(parsing: text).objectValue?["cases"]?.arrayValue ?? []
        return cases.compactMap { $0.objectValue.flatMap(MethodCase.init) }
    }

    private init?(_ object: JSONObject) {
        guard let id = object["id"]?.stringValue, let base = object["base"]?.stringValue,
            let method = object["method"]?.stringValue,
            let adapters = object["adapters"]?.objectValue,
            let prompts = object["prompts"]?.arrayValue, let greedy = object["greedy"]?.arrayValue,
            let merges = object["merges"]?.boolValue
        else { return nil }
        self.id = id
        self.base = base
        self.method = method
        self.adapters = adapters.map { ($0.key, Float($0.value.doubleValue ?? .nan)) }
        self.prompts = prompts.map(GoldenCase.integers)
        self.greedy = greedy.map { entry in
            (
                GoldenCase.integers(entry.objectValue?["tokens"] ?? .null),
                entry.objectValue?["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? []
            )
        }
        self.merges = merges
        referenceDistance = object["reference_distance"]?.doubleValue
    }
}
