internal import StrictJSON

/// How many draws PEFT takes to make and initialise the layers of a new adapter.
///
/// **Source**: PEFT 0.21, `LoraLayer.update_layer` and `reset_lora_parameters`; `torch.nn.Linear`.
struct LayerInitialization {
    private enum Kind {
        /// A is drawn a second time, uniformly: `init_lora_weights` true.
        case uniform
        /// A is drawn a second time, from a normal distribution: "gaussian".
        case normal
        /// Nothing but the making of layers: false.
        case none
        /// B of linear layers becomes zeros: "eva".
        case zeros
    }

    private let kind: Kind

    /// - Throws: `AdapterError.uncombinable` where the draws of the first adapter's initialization
    ///   aren't known.
    init(_ first: AdapterCombination.Part) throws(AdapterError) {
        let value = first.lora.configuration["init_lora_weights"] ?? .bool(true)
        switch value {
        case .bool(true), .null: kind = .uniform
        case .bool(false): kind = .none
        case .string(let name) where name.lowercased() == "gaussian": kind = .normal
        case .string("eva"): kind = .zeros
        default:
            throw .uncombinable(
                adapter: first.name,
                reason: "'init_lora_weights' is \(value.excerpt), whose random draws before PEFT's "
                    + "own can't be reproduced: set it to true")
        }
    }

    /// - Parameter rank: that of the new adapter.
    func drawCount(_ factors: PlainLoRA.Factors, rank: Int) -> Int {
        let a = rank * factors.inputCount
        let b = rank * factors.outputCount
        guard !factors.isEmbedding else {
            let made = TorchGenerator.normalDrawCount(a) + TorchGenerator.normalDrawCount(b)
            return kind == .uniform || kind == .normal
                ? made + TorchGenerator.normalDrawCount(b) : made
        }
        let made = TorchGenerator.uniformDrawCount(a + b)
        switch kind {
        case .uniform: return made + TorchGenerator.uniformDrawCount(a)
        case .normal: return made + TorchGenerator.normalDrawCount(a)
        case .none, .zeros: return made
        }
    }
}
