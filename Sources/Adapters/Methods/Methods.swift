internal import Kernels
internal import Transformer

/// What a method's reader made of an adapter's file.
struct CompiledAdapter {
    var operators: AdapterOperators
    /// Trained values that it used.
    var parameterCount: Int
    var warnings: [String]
    var targets: String
    /// The largest rank, where no values were read.
    var checkedRank: Int?
    /// Updates that are a product of two of the file's matrices, as they are.
    var products: [StoredProduct] = []
    /// True where another file of the same shapes may give other warnings.
    var warnsOfValues = false
}

/// From `peft_type` to the reader of the method.
enum Methods {
    /// What readers work with.
    struct Context {
        var base: BaseModel
        let options: AdapterOptions
        let pool: WorkerPool
        /// False: only configuration, names, types and shapes are checked.
        var readsValues = true
    }

    typealias Reader = @Sendable (AdapterFile, Context) throws(AdapterError) -> CompiledAdapter

    private static let readers: [String: Reader] = [
        // Not PEFT's.
        AdapterUnion.type: AdapterUnion.read,
        BottleneckAdapter.type: BottleneckAdapter.read,
        "ADALORA": AdaLoRA.read,
        "ADAMSS": AdaMSS.read,
        "ADAPTION_PROMPT": AdaptionPrompt.read,
        Arrow.peftType: Arrow.read,
        "BEFT": BEFT.read,
        "BOFT": BOFT.read,
        "BONE": Bone.read,
        "C3A": C3A.read,
        "CARTRIDGE": PrefixTuning.read,
        "CPT": PromptTuning.read,
        "DEFT": DEFT.read,
        "DELORA": DeLoRA.read,
        "FOURIERFT": FourierFT.read,
        "FROD": FRoD.read,
        "GLORA": GLoRA.read,
        "GRALORA": GraLoRA.read,
        "HIRA": HiRA.read,
        "HRA": HRA.read,
        IA3.peftType: IA3.read,
        "LILY": Lily.read,
        "LN_TUNING": LNTuning.read,
        "LOHA": LoHa.read,
        "LOKR": LoKr.read,
        LoRA.peftType: LoRA.read,
        "MISS": MiSS.read,
        "MULTITASK_PROMPT_TUNING": MultitaskPromptTuning.read,
        "OFT": OFT.read,
        "OSF": OSF.read,
        "PEANUT": PEANuT.read,
        "POLY": Poly.read,
        PrefixTuning.peftType: PrefixTuning.read,
        "PROMPT_TUNING": PromptTuning.read,
        "PSOFT": PSOFT.read,
        "PVERA": PVeRA.read,
        "P_TUNING": PromptTuning.read,
        "RANDLORA": RandLoRA.read,
        "ROAD": RoAd.read,
        "SHADOW": Shadow.read,
        "SHIRA": SHiRA.read,
        "SUPERTUNING": Supertuning.read,
        "TINYLORA": TinyLoRA.read,
        "TRAINABLE_TOKENS": TrainedTokens.read,
        "UNILORA": UniLoRA.read,
        "VBLORA": VBLoRA.read,
        "VERA": VeRA.read,
        "WAVEFT": WaveFT.read,
        XLoRA.peftType: XLoRA.read,
    ]

    static let supported = readers.keys.sorted()

    /// True where a header tells everything about an adapter but that its values are finite.
    static func headerSuffices(for file: AdapterFile) -> Bool {
        file.peftType == LoRA.peftType && LoRA.holdsFactorsOnly(file)
    }

    /// - Throws: `AdapterError.unknownMethod` where no reader has it.
    static func reader(of peftType: String, file: String) throws(AdapterError) -> Reader {
        guard let reader = readers[peftType] else {
            throw .unknownMethod(peftType, supported: supported, file: file)
        }
        return { (file, context) throws(AdapterError) in
            let compiled = try reader(file, context)
            guard !compiled.operators.holdsOnlyUpdates(of: []) else {
                throw .configuration(
                    file: file.configuration.file,
                    reason: "it changes nothing, so that the base would answer: check what it was "
                        + "saved from")
            }
            return compiled
        }
    }
}
