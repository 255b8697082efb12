import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Several methods, each at its weight, merged into one checkpoint; against the changes that PEFT's
/// own merges make, weighted and added up.
struct MergedMixTests {
    struct Mix: Sendable, CustomTestStringConvertible {
        let name: String
        let base: String
        let adapters: [(path: String, weight: Float)]
        let prompt: [Int32]
        let referenceDistance: Double?

        var testDescription: String { name }
    }

    static let mixes: [Mix] = (try? load()) ?? []

    private static func load() throws -> [Mix] {
        let text = try Data(
            contentsOf: URL(fileURLWithPath: Checkout.path("Tests/Goldens/merging/manifest.json")))
        let entries = try JSONValue(parsing: [UInt8](text)).objectValue?["mixes"]?.arrayValue ?? []
        return entries.compactMap { entry in
            guard let object = entry.objectValue, let name = object["name"]?.stringValue,
                let base = object["base"]?.stringValue,
                let adapters = object["adapters"]?.objectValue, let prompt = object["prompt"]
            else { return nil }
            return Mix(
                name: name, base: base,
                adapters: adapters.map {
                    ("Tests/Goldens/methods/\($0.key)", Float($0.value.doubleValue ?? .nan))
                }, prompt: GoldenCase.integers(prompt),
                referenceDistance: object["reference_distance"]?.doubleValue)
        }
    }

    @Test func theMixesAreThere() {
        #expect(Self.mixes.count == 3)
    }

    @Test(arguments: mixes, ["merged", "merged.bin"])
    func methodsMixedAddUpAsTheirOwnMergesDo(mix: Mix, output: String) throws {
        let pool = GoldenTests.pool
        let base = try GoldenTests.base(mix.base)
        let adapters = try mix.adapters.map {
            let adapter = try AdapterReader.read(
                name: $0.path, path: Checkout.path($0.path), slots: base.slots, base: base,
                pool: pool)
            return (adapter: adapter, weight: $0.weight)
        }
        let directory = try TemporaryDirectory()
        let writer = try MergeWriter(
            base: base, checkpoint: BaseCheckpoint.open(path: Checkout.model(mix.base)),
            adapters: adapters, options: MergeOptions(weightType: .f32), pool: pool)
        _ = try writer.write(to: directory.file(output))
        let merged = try BaseModel.open(
            path: directory.file(output), pool: pool, keyValueType: .f32)
        let runner = SequenceRunner(base: merged, plan: .base(merged.slots), pool: pool)
        let expected = try MergingGoldens.file().requiredTensor("\(mix.name).logits").floats()
        let difference = try runner.difference(after: mix.prompt, to: expected)
        // Matrices that nothing changes keep the base's type in a model.bin.
        let tolerance = MethodCase.tolerance(
            referenceDistance: output == "merged.bin" ? mix.referenceDistance : nil)
        #expect(difference <= tolerance)
    }
}

/// Tests/Goldens/merging.
enum MergingGoldens {
    static func file() throws -> SafetensorsFile {
        try SafetensorsFile(path: Checkout.path("Tests/Goldens/merging/expected.safetensors"))
    }
}
