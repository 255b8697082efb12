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
}

/// From `peft_type` to the reader of the method.
enum Methods {
    /// What readers work with.
    struct Context {
        let base: BaseModel
        let options: AdapterOptions
        let pool: WorkerPool
        /// False: only configuration, names, types and shapes are checked.
        var readsValues = true
    }

    typealias Reader = @Sendable (AdapterFile, Context) throws(AdapterError) -> CompiledAdapter

    private static let readers: [String: Reader] = [
        "ADALORA": AdaLoRA.read,
        "ADAPTION_PROMPT": AdaptionPrompt.read,
        "BEFT": BEFT.read,
        "C3A": C3A.read,
        "CARTRIDGE": PrefixTuning.read,
        "CPT": PromptTuning.read,
        "DELORA": DeLoRA.read,
        "GRALORA": GraLoRA.read,
        "IA3": IA3.read,
        "LN_TUNING": LNTuning.read,
        "LORA": LoRA.read,
        "MISS": MiSS.read,
        "MULTITASK_PROMPT_TUNING": MultitaskPromptTuning.read,
        "POLY": Poly.read,
        "PREFIX_TUNING": PrefixTuning.read,
        "PROMPT_TUNING": PromptTuning.read,
        "P_TUNING": PromptTuning.read,
        "TRAINABLE_TOKENS": TrainedTokens.read,
    ]

    static let supported = readers.keys.sorted()

    /// Methods of PEFT 0.21, and of older releases, that have no reader.
    static let unsupported: Set<String> = [
        "ADAMSS", "BOFT", "BONE", "DEFT", "FOURIERFT", "FROD", "GLORA", "HIRA", "HRA",
        "LILY", "LOHA", "LOKR", "OFT", "OSF", "PEANUT", "PSOFT", "PVERA", "RANDLORA",
        "ROAD", "SHADOW", "SHIRA", "SUPERTUNING", "TINYLORA", "UNILORA", "VBLORA", "VERA",
        "WAVEFT", "XLORA",
    ]

    /// - Throws: `AdapterError.missingSetting` without a `peft_type`, `.unsupportedMethod` and
    ///   `.unknownMethod` where no reader has it.
    static func reader(of peftType: String, file: String) throws(AdapterError) -> Reader {
        if let reader = readers[peftType] { return reader }
        throw unsupported.contains(peftType)
            ? .unsupportedMethod(peftType, supported: supported, file: file)
            : .unknownMethod(peftType, supported: supported, file: file)
    }
}
