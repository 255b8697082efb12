internal import Checkpoints
internal import Kernels
internal import StrictJSON
internal import Transformer

/// llama.cpp's LoRA in a GGUF file, said in PEFT's terms.
///
///     blk.3.attn_q.weight.lora_a    [rank, inputs]        lora_A.weight
///     blk.3.attn_q.weight.lora_b    [outputs, rank]       lora_B.weight; rows of Q and K reordered
///     token_embd.weight.lora_a      [vocabulary, rank]    lora_embedding_A, transposed
///     blk.3.attn_norm.weight        [hidden]              modules_to_save
///
/// Scaling is `adapter.lora.alpha` / rank, and 1 where alpha is 0 or missing. The architecture must
/// be the base's, as in llama.cpp.
///
/// **Source**: llama.cpp, `convert_lora_to_gguf.py` and `llama-adapter.cpp`.
struct GGUFLoRA {
    static let typeKey = "general.type"
    static let architectureKey = "general.architecture"
    static let adapterTypeKey = "adapter.type"
    static let alphaKey = "adapter.lora.alpha"
    static let invocationKey = "adapter.alora.invocation_tokens"
    static let suffixA = ".lora_a"
    static let suffixB = ".lora_b"
    static let embedding = "model.embed_tokens"

    /// Rows of B of Q and K are as the file has them.
    let adapter: PEFTAdapter
    /// True where those rows are in llama.cpp's order, which depends on the base's numbers of
    /// heads.
    let queryKeyRowsArePermuted: Bool

    /// - Parameter extent: of a header, values read as zeros and are not made.
    /// - Throws: `AdapterError`: a GGUF that is no LoRA or for no base that Graft has, tensors that
    ///   have no place.
    init(_ file: GGUFFile, _ extent: AdapterFile.Extent) throws(AdapterError) {
        let path = file.path
        try Self.checkKind(file)
        guard let isPermuted = file.permutesQueryKeyRows else {
            throw .unsupportedSetting(
                Self.architectureKey, value: "\"\(file.architecture ?? "")\"",
                reason: "supported are \(GGUFFile.baseArchitectures.joined(separator: ", "))",
                file: path)
        }
        queryKeyRowsArePermuted = isPermuted
        var origin = try Self.origin(file, architecture: file.architecture ?? "")
        let alpha = try Self.alpha(file, &origin)
        var builder = LoRABuilder()
        do throws(CheckpointError) {
            if let tokens = try file.counts(Self.invocationKey) {
                builder.extra["alora_invocation_tokens"] = .array(
                    tokens.map { .integer(Int64($0)) })
            }
        } catch { throw .damagedFile(error.description) }
        for name in file.tensorNames.sorted() {
            try Self.add(name, of: file, extent, alpha: alpha, to: &builder)
        }
        guard !builder.isEmpty else {
            throw .notAnAdapter(path: path, found: "a GGUF adapter without low-rank factors")
        }
        var adapter = builder.adapter()
        adapter.origin = origin
        self.adapter = adapter
    }

    /// llama.cpp's name of a base's architecture: Mistral is one of its own to Hugging Face only.
    static func architecture(of base: DecoderSpec) -> String { family(base.modelType) }

    static func family(_ modelType: String) -> String {
        modelType == "mistral" ? "llama" : modelType
    }

    /// 0 stands for a scaling of 1.
    private static func alpha(
        _ file: GGUFFile, _ origin: inout ForeignOrigin
    ) throws(AdapterError) -> Double {
        let alpha: Double?
        do throws(CheckpointError) { alpha = try file.number(alphaKey) } catch {
            throw .damagedFile(error.description)
        }
        guard let alpha else {
            origin.warnings.append(
                "\(file.path): '\(alphaKey)' is missing: scaling is 1, as in llama.cpp")
            return 0
        }
        guard alpha.isFinite, abs(alpha) <= 1e6 else {
            throw .invalidSetting(
                alphaKey, value: String(alpha), expected: "a number from -1000000 to 1000000",
                file: file.path)
        }
        return alpha
    }

    /// - Throws: `AdapterError.notAnAdapter` for a GGUF file of a model, or of another kind of
    ///   adapter.
    static func checkKind(_ file: GGUFFile) throws(AdapterError) {
        let kind: String?
        let type: String?
        do throws(CheckpointError) {
            kind = try file.text(typeKey)
            type = try file.text(adapterTypeKey)
        } catch { throw .damagedFile(error.description) }
        guard kind == "adapter" else {
            throw .notAnAdapter(path: file.path, found: "a GGUF file of a model")
        }
        guard type == "lora" else {
            throw .notAnAdapter(
                path: file.path, found: "a GGUF adapter of type '\(type ?? "")'")
        }
    }

    private static func add(
        _ name: String, of file: GGUFFile, _ extent: AdapterFile.Extent, alpha: Double,
        to builder: inout LoRABuilder
    ) throws(AdapterError) {
        if name.hasSuffix(suffixA) {
            let stem = String(name.dropLast(suffixA.count))
            try add(stem, a: name, of: file, extent, alpha: alpha, to: &builder)
        } else if name.hasSuffix(suffixB) {
            let partner = name.dropLast(suffixB.count) + suffixA
            guard file.tensorNames.contains(String(partner)) else {
                throw .missingTensor(
                    String(partner), reason: "'\(name)' has no partner", file: file.path)
            }
        } else if name.hasSuffix("_norm.weight") {
            let full = GGUFFile.huggingFaceName(of: name)
            guard full != name else {
                throw .unknownTensor(
                    name, reason: "no norm of the bases that it is read for has this name",
                    file: file.path)
            }
            let gain = try tensor(name, of: file, extent).renamed(full)
            let module = gain.name.dropLast(".weight".count).split(separator: ".").last ?? ""
            builder.save(gain, module: String(module))
        } else {
            throw .unknownTensor(
                name,
                reason: "a LoRA of llama.cpp has tensors that end in \(suffixA), \(suffixB) "
                    + "and _norm.weight", file: file.path)
        }
    }

    private static func add(
        _ stem: String, a nameOfA: String, of file: GGUFFile, _ extent: AdapterFile.Extent,
        alpha: Double, to builder: inout LoRABuilder
    ) throws(AdapterError) {
        let nameOfB = stem + suffixB
        guard file.tensorNames.contains(nameOfB) else {
            throw .missingTensor(nameOfB, reason: "'\(nameOfA)' has no partner", file: file.path)
        }
        let full = GGUFFile.huggingFaceName(of: stem)
        guard full != stem, full.hasSuffix(".weight") else {
            throw .unknownTensor(
                nameOfA, reason: "no module of the bases that it is read for is '\(stem)'",
                file: file.path)
        }
        let module = String(full.dropLast(".weight".count))
        let isEmbedding = module == embedding
        let a = try tensor(nameOfA, of: file, extent, isTransposed: isEmbedding)
        let b = try tensor(nameOfB, of: file, extent)
        guard a.shape.count == 2, b.shape.count == 2, a.shape[0] == b.shape[1] else {
            throw .wrongShape(
                tensor: nameOfB, expected: [b.shape.first ?? 0, a.shape.first ?? 0],
                found: b.shape, reason: "'\(nameOfA)' has shape \(a.shape)", file: file.path)
        }
        builder.add(
            module, a: a, b: b, alpha: alpha == 0 ? Double(a.shape[0]) : alpha,
            isEmbedding: isEmbedding)
    }

    /// The stored tensor; in f32 where it is quantised or turned.
    private static func tensor(
        _ name: String, of file: GGUFFile, _ extent: AdapterFile.Extent,
        isTransposed: Bool = false
    ) throws(AdapterError) -> AdapterTensor {
        let view: TensorView
        do throws(CheckpointError) { view = try file.readableTensor(name) } catch {
            throw .damagedFile(error.description)
        }
        guard isTransposed || view.elementType.blockElementCount > 1 else {
            return AdapterTensor(view)
        }
        guard view.shape.count == 2 else {
            throw .wrongShape(
                tensor: name, expected: [0, 0], found: view.shape, reason: "factors are matrices",
                file: file.path)
        }
        guard case .whole = extent else {
            return try AdapterTensor(
                name: name, shape: isTransposed ? view.shape.reversed() : view.shape)
        }
        let values = try floats(view)
        guard isTransposed else {
            return try AdapterTensor(name: name, shape: view.shape, values: values)
        }
        return try AdapterTensor(
            name: name, shape: view.shape.reversed(),
            values: Matrices.transposed(values, rowCount: view.shape[0]))
    }

    private static func floats(_ view: TensorView) throws(AdapterError) -> [Float] {
        guard view.elementType.blockElementCount > 1,
            let type = WeightType(rawValue: view.elementType.rawValue)
        else {
            return try AdapterTensor(view).floats(file: view.owner.path)
        }
        let matrix = PackedMatrix(
            packing: WeightMatrix(
                pointer: view.bytes.baseAddress!, type: type, outputCount: view.shape[0],
                inputCount: view.shape[1]), pool: nil)
        var values = [Float](repeating: 0, count: view.elementCount)
        values.withUnsafeMutableBufferPointer { matrix.unpack(into: $0.baseAddress!, pool: nil) }
        return values
    }
}
