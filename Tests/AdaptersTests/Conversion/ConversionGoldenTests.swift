import Adapters
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Adapters that loralib, llama.cpp and a prefix encoder wrote; the generator is
/// tools/goldens/conversion.py.
@Suite struct ConversionGoldenTests {
    private let directory: ScratchDirectory

    init() throws { directory = try ScratchDirectory() }

    private func golden(_ name: String) -> String { ReferenceFiles.path("conversion/" + name) }

    private func expected(_ name: String) throws -> [Float] {
        let tensors = try StoredTensors(path: golden("expected.safetensors"))
        return try #require(tensors.values[name])
    }

    @discardableResult
    private func convert(
        _ path: String, to format: AdapterFormat = .peft, base: String? = nil,
        settings: String = "{}", out: String = "out"
    ) throws -> String {
        let output = directory.path + "/" + out
        _ = try AdapterConversion(from: path, basePath: base, settings: settings)
            .write(as: format, to: output)
        return output
    }

    /// scaling · B A of one module of a PEFT directory.
    private func change(_ path: String, _ module: String, scaling: Float) throws -> [Float] {
        let tensors = try StoredTensors(path: path + "/adapter_model.safetensors")
        let isEmbedding = module.hasSuffix("embed_tokens")
        let (a, b) =
            isEmbedding
            ? ("lora_embedding_A", "lora_embedding_B") : ("lora_A.weight", "lora_B.weight")
        let name = "base_model.model.\(module)."
        let product = tensors.product(name + b, name + a).map { scaling * $0 }
        guard isEmbedding else { return product }
        let (rows, columns) = (16, 32)
        return (0..<columns).flatMap { column in
            (0..<rows).map { product[$0 * columns + column] }
        }
    }

    /// As safetensors with settings beside them, and as torch saves them, with strides of their
    /// own.
    @Test(arguments: ["loralib", "loralib/lora.safetensors", "lora.pt"])
    func loralibStateDictsMeanWhatLoralibMerges(source: String) throws {
        let out = try convert(
            golden(source), settings: source == "lora.pt" ? #"{"lora_alpha":6}"# : "{}")
        for module in [
            "model.embed_tokens", "model.layers.0.self_attn.q_proj",
            "model.layers.0.self_attn.v_proj",
        ] {
            let difference = largestDifference(
                try change(out, module, scaling: 3), try expected("loralib/\(module)"))
            #expect(difference < 1e-5, "\(module)")
        }
    }

    /// The generator is tools/goldens/adapterhub_lora.py; the weights are a file of `torch.save`.
    @Test func anAdapterHubLoRAMeansWhatTheLibraryMerges() throws {
        let out = try convert(golden("adapterhub"))
        let stored = try StoredTensors(path: golden("adapterhub/expected.safetensors"))
        #expect(stored.names.count == 6)
        for name in stored.names {
            let module = String(name.dropLast(".weight".count))
            let difference = largestDifference(
                try change(out, module, scaling: 3), try #require(stored.values[name]))
            #expect(difference < 1e-5, "\(module)")
        }
        let (base, _) = try TinyBase().open(in: directory)
        let adapter = try AdapterReader.read(
            name: "a", path: out, slots: base.slots, base: base, pool: TinyBase.pool)
        #expect(adapter.targets == "q_proj ×2, v_proj ×2, down_proj ×2")
    }

    /// What the library saved goes to PEFT's form and back without a change.
    @Test(arguments: ["adapterhub/lora", "adapterhub/infused"])
    func anAdapterHubAdapterComesBack(source: String) throws {
        let path = ReferenceFiles.path(source)
        let peft = try convert(path, out: "peft")
        let back = try convert(peft, to: .adapterHub, out: "law")
        let ours = try StoredTensors(path: back + "/adapter.safetensors")
        let theirs = try StoredTensors(path: path + "/adapter.safetensors")
        #expect(Set(ours.names) == Set(theirs.names))
        func settings(_ path: String) throws -> JSONObject {
            let text = try String(contentsOfFile: path + "/adapter_config.json", encoding: .utf8)
            let whole = try #require(try JSONValue(parsing: text).objectValue)
            return try #require(whole["config"]?.objectValue)
        }
        var (own, expected) = (try settings(back), try settings(path))
        // (IA)³ of PEFT has no alpha: it is in the factors.
        let factor: Float = source.hasSuffix("infused") ? 2 : 1
        for name in theirs.names {
            #expect(ours.values[name] == theirs.values[name]?.map { $0 * factor }, "\(name)")
        }
        if factor != 1 { expected["alpha"] = own["alpha"] }
        for name in expected.keys {
            #expect(own[name]?.doubleValue == expected[name]?.doubleValue, "\(name)")
            if own[name]?.doubleValue == nil { #expect(own[name] == expected[name], "\(name)") }
            own[name] = nil
        }
        #expect(own.count == 0)
    }

    @Test func theServerReadsLoralibAsItIs() throws {
        let (base, _) = try TinyBase().open(in: directory)
        let adapter = try AdapterReader.read(
            name: "a", path: golden("loralib"), slots: base.slots, base: base,
            pool: TinyBase.pool)
        #expect(adapter.targets == "embed_tokens, q_proj, v_proj")
        #expect(adapter.rank == 2)
    }

    /// Biases beside factors and biases alone go to PEFT's form and back without a change.
    @Test(arguments: ["loralib/biases", "loralib/target-biases", "bitfit/biased"])
    func trainedBiasesComeBack(source: String) throws {
        let path = ReferenceFiles.path("formats/" + source)
        let back = try convert(try convert(path, out: "peft"), to: .loralib, out: "back")
        let ours = try StoredTensors(path: back + "/lora.safetensors")
        let theirs = try StoredTensors(path: path + "/lora.safetensors")
        #expect(Set(ours.names) == Set(theirs.names))
        #expect(theirs.names.contains { $0.hasSuffix(".bias") })
        for name in theirs.names { #expect(ours.values[name] == theirs.values[name], "\(name)") }
    }

    /// PEFT saves biases alone beside targets that mean nothing.
    @Test func biasesAloneAreWrittenAsPEFTSavesThem() throws {
        let out = try convert(ReferenceFiles.path("formats/bitfit/biased"))
        let text = try String(contentsOfFile: out + "/adapter_config.json", encoding: .utf8)
        let settings = try #require(try JSONValue(parsing: text).objectValue)
        #expect(settings["target_modules"] == .string("dummy-target-modules"))
        #expect(settings["bias"] == .string("all"))
        let ours = try StoredTensors(path: out + "/adapter_model.safetensors")
        let peft = try StoredTensors(
            path: ReferenceFiles.path("methods/lora/biases-alone/adapter_model.safetensors"))
        #expect(Set(ours.names) == Set(peft.names))
    }

    @Test func mergedProjectionsStayTogetherOrComeApart() throws {
        let delta = try expected("merged")
        let layer = "model.layers.0.self_attn."
        let settings = #"{"lora_alpha":6,"enable_lora":[true,false,true]"#
        let whole = try convert(golden("merged.pt"), settings: settings + "}", out: "whole")
        #expect(largestDifference(try change(whole, layer + "qkv_proj", scaling: 3), delta) < 1e-5)
        let apart = try convert(
            golden("merged.pt"),
            settings: settings + #","projections":{"qkv_proj":["q_proj","k_proj","v_proj"]}}"#,
            out: "apart")
        let tensors = try StoredTensors(path: apart + "/adapter_model.safetensors")
        #expect(tensors.names.count == 4)
        for (module, start) in [("q_proj", 0), ("v_proj", 32)] {
            let rows = Array(delta[(start * 16)..<((start + 16) * 16)])
            #expect(
                largestDifference(try change(apart, layer + module, scaling: 3), rows) < 1e-5)
        }
    }

    @Test(arguments: ["prefix", "prefix-projected"])
    func prefixEncodersBecomeFinishedPrefixes(name: String) throws {
        let out = try convert(golden(name))
        let tensors = try StoredTensors(path: out + "/adapter_model.safetensors")
        #expect(
            largestDifference(try #require(tensors.values["prompt_embeddings"]), try expected(name))
                < 1e-5)
        let (base, _) = try TinyBase().open(in: directory)
        for path in [out, golden(name)] {
            let adapter = try AdapterReader.read(
                name: "p", path: path, slots: base.slots, base: base, pool: TinyBase.pool)
            #expect(adapter.targets == "prefix of 5 tokens")
        }
    }

    @Test func aPrefixGoesBackToAPrefixEncoder() throws {
        let peft = try convert(golden("prefix"), out: "peft")
        let back = try convert(peft, to: .promptTuningV2, out: "back")
        let name = "prefix_encoder.embedding.weight"
        let ours = try StoredTensors(path: back + "/prefix_encoder.safetensors")
        let theirs = try StoredTensors(path: golden("prefix/prefix_encoder.safetensors"))
        #expect(ours.values[name] == theirs.values[name])
        #expect(
            try StoredTensors(path: convert(back, out: "again") + "/adapter_model.safetensors")
                .values["prompt_embeddings"] == theirs.values[name])
    }
}

/// llama.cpp's LoRAs on tiny-llama, whose rows of Q and K its converter reorders.
@Suite struct GGUFLoRAGoldenTests {
    private let directory: ScratchDirectory
    private let source = ReferenceFiles.path("conversion/llama-cpp")
    private let base = ReferenceFiles.model("tiny-llama")

    init() throws { directory = try ScratchDirectory() }

    private func tensors(_ path: String) throws -> StoredTensors {
        try StoredTensors(path: path + "/adapter_model.safetensors")
    }

    @Test func aGGUFLoRABecomesWhatItWasMadeFrom() throws {
        let out = directory.path + "/peft"
        _ = try AdapterConversion(
            from: ReferenceFiles.path("conversion/llama-cpp-f32.gguf"), basePath: base
        ).write(as: .peft, to: out)
        #expect(try tensors(out).values == tensors(source).values)
        let text = try String(contentsOfFile: out + "/adapter_config.json", encoding: .utf8)
        let configuration = try #require(JSONValue(parsing: text).objectValue)
        #expect(
            configuration["target_modules"]
                == .array(["down_proj", "embed_tokens", "k_proj", "q_proj"].map(JSONValue.string)))
        #expect(configuration["r"] == .integer(2))
        #expect(configuration["lora_alpha"] == .integer(6))
    }

    @Test func aPEFTDirectoryBecomesLlamaCppsGGUF() throws {
        let out = directory.path + "/lora.gguf"
        _ = try AdapterConversion(from: source, basePath: base).write(as: .gguf, to: out)
        let ours = try AdapterInspection(path: out)
        let theirs = try AdapterInspection(
            path: ReferenceFiles.path("conversion/llama-cpp-f32.gguf"))
        #expect(ours.hash == theirs.hash)
        #expect(ours.configuration == theirs.configuration)
    }

    @Test(arguments: [("f32", 0 as Float), ("q8_0", 0.01)])
    func theServerReadsAGGUFLoRAAsItIs(kind: String, tolerance: Float) throws {
        let model = try BaseModel.open(path: base, pool: TinyBase.pool)
        func read(_ path: String) throws -> LoadedAdapter {
            try AdapterReader.read(
                name: "a", path: path, slots: model.slots, base: model, pool: TinyBase.pool)
        }
        let expected = try read(source)
        let found = try read(ReferenceFiles.path("conversion/llama-cpp-\(kind).gguf"))
        #expect(found.targets == expected.targets)
        for slot in expected.operators.linear.keys {
            let pairs = try [expected, found].map { adapter in
                try model.merged(
                    at: slot,
                    with: [
                        SelectedOperators(name: "a", operators: adapter.operators, weight: 1)
                    ], pool: TinyBase.pool
                ).matrix
            }
            for index in 0..<pairs[0].count {
                #expect(abs(pairs[0].pointer[index] - pairs[1].pointer[index]) <= tolerance)
            }
        }
    }

    @Test func withoutABaseTheRowsStayUnknown() throws {
        let path = ReferenceFiles.path("conversion/llama-cpp-f32.gguf")
        let message = AdapterFailure.description {
            _ = try AdapterConversion(from: path)
        }
        #expect(
            message
                == "\(path): can't be converted: the order of the rows of "
                + "'base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight' depends on the "
                + "base's numbers of heads: give the base")
        let pack = AdapterFailure.description {
            _ = try AdapterPacking.pack(from: path, to: directory.path + "/x.lora")
        }
        #expect(pack.hasSuffix("its rows are in llama.cpp's order: use graft convert with --base"))
    }
}
