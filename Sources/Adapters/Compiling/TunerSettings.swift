internal import StrictJSON

/// What the configurations of all methods that change chosen modules have in common.
struct TunerSettings {
    /// Which of the base's biases were trained.
    enum Bias: Equatable {
        case none
        /// Every bias of the base.
        case all
        /// Those of the targeted modules; configurations say `lora_only`, `boft_only` and so on.
        case targeted(String)

        init?(_ text: String) {
            switch text {
            case "none": self = .none
            case "all": self = .all
            case _ where text.hasSuffix("_only"): self = .targeted(text)
            default: return nil
            }
        }

        /// As the configuration has it.
        var text: String {
            switch self {
            case .none: "none"
            case .all: "all"
            case .targeted(let text): text
            }
        }
    }

    /// Whether what is said of one of a tied pair, embedding and head, is said of both. PEFT has it
    /// for LoRA alone, Graft wherever another library's adapter needs it.
    static let tyingSetting = "ensure_weight_tying"

    let targets: TargetModules
    let saved: SavedModules
    let bias: Bias
    let tiesEmbeddings: Bool

    /// - Parameter standardTargets: of the method, where the configuration names no targets.
    init(
        _ configuration: inout AdapterConfiguration, standardTargets: [String]? = nil
    ) throws(AdapterError) {
        tiesEmbeddings = try configuration.flag(Self.tyingSetting)
        bias = try Self.bias(&configuration)
        targets = try TargetModules(&configuration, standard: standardTargets)
        saved = SavedModules(names: try configuration.texts("modules_to_save") ?? [])
    }

    /// Of a method that targets no module, and may save some whole.
    init(
        withoutTargets configuration: inout AdapterConfiguration
    ) throws(AdapterError) {
        tiesEmbeddings = try configuration.flag(Self.tyingSetting)
        bias = .none
        targets = TargetModules()
        saved = SavedModules(names: try configuration.texts("modules_to_save") ?? [])
    }

    private static func bias(_ configuration: inout AdapterConfiguration) throws(AdapterError)
        -> Bias
    {
        guard let text = try configuration.text("bias") else { return .none }
        guard let bias = Bias(text) else {
            throw configuration.invalid(
                "bias", .string(text), expected: "\"none\", \"all\" or \"…_only\"")
        }
        return bias
    }
}
