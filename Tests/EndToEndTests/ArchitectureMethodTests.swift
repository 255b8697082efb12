import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// PEFT's methods on bases of other shapes than Llama's: fused modules, matrices that are stored
/// the other way round, norms with biases or an offset, scaled embeddings, windows.
struct ArchitectureMethodTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let base: String
        let method: String

        var testDescription: String { "\(base)/\(method)" }
        var path: String { "\(ArchitectureGoldenTests.folder)/\(base)/\(method)" }

        /// Prefixes and prompts have no weights to merge; Lily chooses by the token, others act in
        /// a part of the tokens or of the layers, and some would give modules a bias that this
        /// architecture has none for.
        var isMergeable: Bool {
            !["prefix", "prompt", "activated", "replicated"].contains(method)
                && !["phi3/lily", "phi3/beft", "phi3/targeted-biases"].contains(testDescription)
        }

        static let listing: JSONObject? = {
            let path = ArchitectureGoldenTests.folder + "/methods.json"
            return (try? Data(contentsOf: URL(fileURLWithPath: path))).flatMap {
                (try? JSONValue(parsing: [UInt8]($0)))?.objectValue
            }
        }()

        static let all: [Case] = (listing ?? [:]).flatMap { base, value in
            (value.objectValue?["served"]?.arrayValue ?? []).compactMap(\.stringValue).map {
                Case(base: base, method: $0)
            }
        }

        /// What PEFT refuses for want of a table of modules, or on a Conv1D.
        static func refusedByPEFT(_ contain: String) -> [Case] {
            (listing ?? [:]).flatMap { base, value in
                (value.objectValue?["refusedByPEFT"]?.objectValue ?? [:]).compactMap {
                    $1.stringValue?.contains(contain) ?? false
                        ? Case(base: base, method: $0) : nil
                }
            }
        }
    }

    /// What can't be exact here, and words of the sentence that says so.
    private static let refused: [String: String] = [
        "falcon-40b/prefix": "keys and values for each of 4 query heads"
    ]

    private let goldens: ArchitectureGoldenTests

    init() throws { goldens = try ArchitectureGoldenTests() }

    private func base(_ name: String) throws -> String {
        let golden = ArchitectureGoldenTests.Golden.all.first { $0.name == name }
        return try goldens.widened(try #require(golden))
    }

    private func plan(_ base: BaseModel, _ path: String) throws -> AdapterPlan {
        let registry = AdapterRegistry(base: base, options: .init(), settings: .init())
        try registry.load(name: "it", path: path)
        return try registry.lease([SelectionEntry(name: "it", weight: 1)]).plan
    }

    private func difference(_ base: BaseModel, _ plan: AdapterPlan, _ golden: Case) throws -> Float
    {
        let file = try SafetensorsFile(path: golden.path + "/expected.safetensors")
        let view = try file.requiredTensor("tokens")
        let tokens = withExtendedLifetime(view.owner) {
            (0..<view.bytes.count / 4).map {
                view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)
            }
        }
        let expected = try file.requiredTensor("logprobs").floats()
        let found = SequenceRunner(base: base, plan: plan, pool: GoldenTests.pool).logprobs(tokens)
        try #require(found.count == expected.count)
        return zip(found, expected).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    @Test func theyAreThere() {
        #expect(Case.all.count >= 150)
    }

    @Test(arguments: Case.all)
    func itAnswersAsInPEFT(golden: Case) throws {
        let base = try goldens.open(base(golden.base))
        if let words = Self.refused[golden.testDescription] {
            let error = #expect(throws: (any Error).self) { try plan(base, golden.path) }
            #expect("\(error, default: "")".contains(words))
            return
        }
        #expect(try difference(base, plan(base, golden.path), golden) < 2e-3)
    }

    /// Merged to disk in the checkpoint's own layout, biases of norms and saved modules as well.
    @Test(arguments: Case.all.filter { $0.isMergeable })
    func mergedItAnswersAsInPEFT(golden: Case) throws {
        let out = goldens.directory.file("merged")
        let finished = try GraftProcess.run([
            "merge", "--base", base(golden.base), "--adapter", "it=\(golden.path)", "--out", out,
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        let merged = try goldens.open(out)
        #expect(try difference(merged, AdapterPlan.base(merged.slots), golden) < 2e-3)
    }

    /// One file, in the types of the base and in another.
    @Test(arguments: ["gpt2", "bloom"], ["dora", "ln-tuning", "biases", "saved"])
    func mergedToModelBinItAnswersAsInPEFT(name: String, method: String) throws {
        let golden = Case(base: name, method: method)
        let out = goldens.directory.file("model.bin")
        let finished = try GraftProcess.run([
            "merge", "--base", base(name), "--adapter", "it=\(golden.path)", "--out", out,
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        let merged = try goldens.open(out)
        #expect(try difference(merged, AdapterPlan.base(merged.slots), golden) < 2e-3)
    }

    /// Rounding every weight moves answers no further than it moves the base's own.
    @Test(arguments: ["gpt2", "phi3"])
    func mergedInSixteenBitsItIsAlmostThat(name: String) throws {
        let golden = Case(base: name, method: "biases")
        let out = goldens.directory.file("merged")
        let finished = try GraftProcess.run([
            "merge", "--base", base(name), "--adapter", "it=\(golden.path)", "--out", out,
            "--dtype", "f16",
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        let merged = try goldens.open(out)
        #expect(try difference(merged, AdapterPlan.base(merged.slots), golden) < 0.1)
    }

    /// PEFT asks for modules where its table has no row for the model.
    @Test(arguments: Case.refusedByPEFT("Please specify `target_modules`"))
    func withoutATableTheModulesMustBeNamed(golden: Case) throws {
        let source =
            switch golden.method {
            case "ia3-defaults": "ia3"
            case "ln-defaults": "ln-tuning"
            default: "embedding"
            }
        let path = try copied(
            "\(ArchitectureGoldenTests.folder)/\(golden.base)/\(source)", renaming: { $0 }
        ) { $0["target_modules"] = .null }
        let base = try goldens.open(base(golden.base))
        let error = #expect(throws: (any Error).self) { try plan(base, path) }
        #expect("\(error, default: "")".contains("'target_modules'"))
    }

    /// Methods that PEFT has for Linear alone, on a base of Conv1D.
    @Test(
        arguments: Case.refusedByPEFT("Conv1D") + [Case(base: "gpt2", method: "olora")])
    func whatPEFTLacksForConv1DIsRefusedByName(golden: Case) throws {
        guard golden.method != "poly" else { return }
        let names = [
            ("model.layers.", "transformer.h."), ("self_attn.o_proj", "attn.c_proj"),
            ("self_attn.qkv_proj", "attn.c_attn"), ("mlp.gate_up_proj", "mlp.c_fc"),
            ("mlp.down_proj", "mlp.c_proj"),
        ]
        let path = try copied(
            "\(ArchitectureGoldenTests.folder)/phi3/\(golden.method)",
            renaming: { name in
                names.reduce(name) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            }
        ) { $0["target_modules"] = .array([.string("c_attn"), .string("c_proj")]) }
        let base = try goldens.open(base("gpt2"))
        let error = #expect(throws: (any Error).self) { try plan(base, path) }
        #expect("\(error, default: "")".contains("this is a Conv1D"))
    }

    /// PEFT takes which way round a layer lies from the layer, whatever the setting says.
    @Test(arguments: [("gpt2", false), ("phi3", true)])
    func aWrongFanInFanOutChangesNothing(name: String, setting: Bool) throws {
        let golden = Case(base: name, method: "dora")
        let path = try copied(golden.path, renaming: { $0 }) {
            $0["fan_in_fan_out"] = .bool(setting)
        }
        let base = try goldens.open(base(name))
        #expect(try difference(base, plan(base, path), golden) < 2e-3)
    }

    /// Merged while it is served.
    @Test(arguments: ["ln-tuning", "biases", "saved"])
    func mergedLiveItAnswersAsInPEFT(method: String) throws {
        let golden = Case(base: "gpt2", method: method)
        let base = try goldens.open(base("gpt2"))
        let registry = AdapterRegistry(base: base, options: .init(), settings: .init())
        try registry.load(name: "it", path: golden.path)
        try registry.merge(name: "it")
        let plan = try registry.lease([SelectionEntry(name: "it", weight: 1)]).plan
        #expect(try difference(base, plan, golden) < 2e-3)
    }

    /// From the base and its merge, with biases of norms and linear layers.
    @Test(arguments: ["gpt2", "gpt-neox", "bloom"])
    func extractedFromAMergeItAnswersAsInPEFT(name: String) throws {
        let golden = Case(base: name, method: "biases")
        let path = try base(name)
        let (merged, out) = (goldens.directory.file("merged"), goldens.directory.file("out"))
        for arguments in [
            ["merge", "--base", path, "--adapter", "it=\(golden.path)", "--out", merged],
            [
                "extract", "--base", path, "--tuned", merged, "--rank", "4", "--save-rest", "--out",
                out,
            ],
        ] {
            let finished = try GraftProcess.run(arguments)
            try #require(finished.status == 0, "\(finished.errors)")
        }
        let base = try goldens.open(path)
        #expect(try difference(base, plan(base, out), golden) < 2e-3)
    }

    /// A norm whose bias alone changed is saved whole.
    @Test func extractedNormsHaveTheirBiases() throws {
        let golden = Case(base: "gpt2", method: "saved")
        let path = try base("gpt2")
        let (merged, out) = (goldens.directory.file("merged"), goldens.directory.file("out"))
        for arguments in [
            ["merge", "--base", path, "--adapter", "it=\(golden.path)", "--out", merged],
            [
                "extract", "--base", path, "--tuned", merged, "--rank", "2", "--save-rest", "--out",
                out,
            ],
        ] {
            let finished = try GraftProcess.run(arguments)
            try #require(finished.status == 0, "\(finished.errors)")
        }
        let base = try goldens.open(path)
        #expect(try difference(base, plan(base, out), golden) < 2e-3)
    }

    /// An adapter without `target_modules` is taken apart by its own names.
    @Test(arguments: ["gpt2", "gpt-neox", "falcon-40b"])
    func standardTargetsAreConvertedWithoutABase(name: String) throws {
        let golden = Case(base: name, method: "defaults")
        let out = goldens.directory.file("out.safetensors")
        let finished = try GraftProcess.run([
            "convert", "--from", golden.path, "--to", "loralib", "--out", out,
        ])
        #expect(finished.status == 0, "\(finished.errors)")
    }

    /// Networks between the parts of a block are exact in blocks like Llama's alone.
    @Test(
        arguments: ["adaption_prompt/two-layers", "shadow/llama"], ["gpt2", "gemma2", "gpt-neox"])
    func networksWithinBlocksAreRefused(method: String, name: String) throws {
        let path = Checkout.path("Tests/Goldens/methods/\(method)")
        let base = try goldens.open(base(name))
        let error = #expect(throws: (any Error).self) { try plan(base, path) }
        #expect("\(error, default: "")".contains("can't be served on a base of type"))
    }

    /// What PEFT can't repeat.
    @Test(arguments: ["gpt2", "gemma2", "bloom"])
    func repeatedLayersAreRefused(name: String) throws {
        let path = try copied(Case(base: name, method: "dora").path, renaming: { $0 }) {
            $0["layer_replication"] = .array([.array([.integer(0), .integer(2)])])
        }
        let base = try goldens.open(base(name))
        let error = #expect(throws: (any Error).self) { try plan(base, path) }
        #expect("\(error, default: "")".contains("repeats layers of a base of type"))
    }

    /// PEFT loads every tensor that is named like a parameter.
    @Test func aNormsBiasThatNoSettingNamesStandsInPlaceOfTheBases() throws {
        let golden = Case(base: "gpt2", method: "biases")
        let path = try copied(golden.path, renaming: { $0 }) { $0["bias"] = .string("none") }
        let base = try goldens.open(base("gpt2"))
        let registry = AdapterRegistry(base: base, options: .init(), settings: .init())
        let listing = try registry.load(name: "it", path: path)
        #expect(listing.warnings.contains { $0.contains("ln_1.bias") })
        let plan = try registry.lease([SelectionEntry(name: "it", weight: 1)]).plan
        #expect(try difference(base, plan, golden) < 2e-3)
    }

    /// Names of a bare decoder, and a layer that isn't there.
    @Test(arguments: [
        ("base_model.model.transformer.", "base_model.model.", "'transformer.' is missing"),
        ("transformer.h.2.", "transformer.h.7.", "it is for layer 7, the base has layers 0 to 2"),
    ])
    func namesOfOthersAreRefused(from: String, to: String, words: String) throws {
        let path = try copied(
            Case(base: "gpt2", method: "dora").path,
            renaming: { $0.replacingOccurrences(of: from, with: to) }, { _ in })
        let base = try goldens.open(base("gpt2"))
        let error = #expect(throws: (any Error).self) { try plan(base, path) }
        #expect("\(error, default: "")".contains(words))
    }

    /// An adapter under other names and with other settings.
    private func copied(
        _ source: String, renaming: (String) -> String, _ change: (inout JSONObject) -> Void
    ) throws -> String {
        let path = goldens.directory.file("adapter")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let stored = try SafetensorsFile(path: source + "/adapter_model.safetensors")
        let views = try stored.tensorNames.map { try stored.requiredTensor($0) }
        var rest = views[...]
        try SafetensorsWriter(
            tensors: views.map {
                .init(name: renaming($0.name), elementType: $0.elementType, shape: $0.shape)
            }
        ).write(to: path + "/adapter_model.safetensors") { (_, sink) throws(CheckpointError) in
            guard let next = rest.popFirst() else { return }
            try sink.write(withExtendedLifetime(next.owner) { [UInt8](next.bytes) })
        }
        let text = try Data(contentsOf: URL(fileURLWithPath: source + "/adapter_config.json"))
        var settings = try #require(try JSONValue(parsing: [UInt8](text)).objectValue)
        change(&settings)
        try Data(JSONValue.object(settings).serialized().utf8).write(
            to: URL(fileURLWithPath: path + "/adapter_config.json"))
        return path
    }
}
