import Adapters
import StrictJSON
import Testing

/// Combinations against what PEFT's `add_weighted_adapter` made of the same adapters; the generator
/// is tools/goldens/combining.py.
@Suite struct CombiningGoldenTests {
    static let cases: [String] = {
        guard let manifest = try? ReferenceFiles.object("combining/manifest.json") else {
            return []
        }
        return manifest["cases"]?.objectValue?.keys.map { String($0) } ?? []
    }()

    @Test func everyMethodHasACase() throws {
        let manifest = try ReferenceFiles.object("combining/manifest.json")
        let methods = try #require(manifest["cases"]?.objectValue).compactMap {
            $0.value.objectValue?["combination_type"]?.stringValue
        }
        #expect(Set(methods) == Set(CombinationMethod.allCases.map(\.rawValue)))
    }

    /// Factors for themselves where A and B are; their product where a decomposition chose them.
    @Test(arguments: cases)
    func combinationsEqualPEFTs(name: String) throws {
        let manifest = try ReferenceFiles.object("combining/manifest.json")
        let settings = try #require(manifest["cases"]?.objectValue?[name]?.objectValue)
        let directory = try ScratchDirectory()
        let out = directory.path + "/mix"
        let combination = try Self.combination(settings)
        _ = try combination.write(to: out)
        let ours = try StoredTensors(path: out + "/adapter_model.safetensors")
        let all = try StoredTensors(path: ReferenceFiles.path("combining/cases.safetensors"))
        let theirs = all.names.filter { $0.hasPrefix(name + "/") }
        #expect(ours.names == theirs.map { String($0.dropFirst(name.count + 1)) })
        for expected in theirs where expected.contains("_A") {
            let a = String(expected.dropFirst(name.count + 1))
            let b = a.replacing("_A", with: "_B")
            #expect(
                largestDifference(
                    ours.product(b, a), all.product(expected.replacing("_A", with: "_B"), expected))
                    < 2e-5, "\(a)")
            guard settings["combination_type"]?.stringValue?.hasSuffix("svd") == false else {
                continue
            }
            for (own, other) in [(a, expected), (b, expected.replacing("_A", with: "_B"))] {
                let difference = largestDifference(
                    try #require(ours.values[own]), try #require(all.values[other]))
                #expect(difference < 1e-6, "\(own)")
            }
        }
    }

    private static func combination(_ settings: JSONObject) throws -> AdapterCombination {
        let method = try #require(
            CombinationMethod(rawValue: settings["combination_type"]?.stringValue ?? ""))
        let weights = try #require(settings["weights"]?.objectValue)
        return try AdapterCombination(
            weights.map { name, weight in
                (
                    name: name, path: ReferenceFiles.path("combining/\(name)"),
                    weight: weight.doubleValue ?? 1
                )
            },
            options: CombinationOptions(
                method: method, density: settings["density"]?.doubleValue ?? 1,
                majoritySign: MajoritySign(
                    rawValue: settings["majority_sign_method"]?.stringValue ?? "") ?? .total,
                rank: settings["svd_rank"]?.intValue,
                seed: UInt64(settings["seed"]?.intValue ?? 0)))
    }

    @Test func anotherSeedDropsOtherValues() throws {
        let directory = try ScratchDirectory()
        var results: [[Float]] = []
        for seed in [1, 1, 2] as [UInt64] {
            let out = directory.path + "/\(results.count)"
            _ = try AdapterCombination(
                [
                    ("a", ReferenceFiles.path("combining/a"), 1),
                    ("b", ReferenceFiles.path("combining/b"), 1),
                ],
                options: CombinationOptions(method: .dareLinear, density: 0.5, seed: seed)
            ).write(to: out)
            let tensors = try StoredTensors(path: out + "/adapter_model.safetensors")
            results.append(tensors.names.flatMap { tensors.values[$0] ?? [] })
        }
        #expect(results[0] == results[1])
        #expect(results[0] != results[2])
    }
}
