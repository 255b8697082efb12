import Checkpoints
import StrictJSON

/// Small valid adapters of methods that change weights, all on `AdapterFixture.query` of
/// `TinyBase`, which is [16, 16].
enum ProductFixture: String, CaseIterable, Sendable {
    case miss, missMini, missBat, bone, delora, gralora, c3a, waveft, waveftDirect, glora,
        gloraVectors
    case osf, deft, para, peanut, psoft, supertuning, frod, tinylora, unilora, uniloraSaved

    private static let module = "base_model.model." + AdapterFixture.query

    var fixture: AdapterFixture {
        var configuration: JSONObject = [
            "target_modules": .array([.string("layers.0.self_attn.q_proj")]),
            "task_type": .string("CAUSAL_LM"),
        ]
        let settings = (try? JSONValue(parsing: self.settings))?.objectValue ?? [:]
        for (key, value) in settings { configuration[key] = value }
        return AdapterFixture(
            configuration: configuration,
            tensors: parts.enumerated().map { index, part in
                let isShared = part.name.hasPrefix("base_model.")
                var tensor = FloatTensor(
                    isShared ? part.name : Self.module + "." + part.name, part.shape,
                    seed: UInt64(index + 1) * 77)
                if let range = part.integers {
                    tensor.type = .i64
                    tensor.values = tensor.values.indices.map { Float($0 * 5 % range) }
                }
                if part.name.hasSuffix(".zeros") {
                    tensor.values = tensor.values.map { _ in 0 }
                }
                if part.name.hasPrefix("base_model.frod_s_size") { tensor.values = [16, 16] }
                return tensor
            })
    }

    private struct Part {
        let name: String
        let shape: [Int]
        var integers: Int?

        init(_ name: String, _ shape: [Int], integers: Int? = nil) {
            self.name = name
            self.shape = shape
            self.integers = integers
        }
    }

    private var settings: String {
        switch self {
        case .miss: #"{"peft_type": "MISS", "r": 5, "init_weights": true}"#
        case .missMini:
            #"{"peft_type": "MISS", "r": 4, "init_weights": "mini", "mini_r": 2}"#
        case .missBat: #"{"peft_type": "MISS", "r": 4, "init_weights": "bat"}"#
        case .bone: #"{"peft_type": "BONE", "r": 5, "init_weights": true}"#
        case .delora: #"{"peft_type": "DELORA", "r": 2}"#
        case .gralora: #"{"peft_type": "GRALORA", "r": 4, "gralora_k": 2, "hybrid_r": 1}"#
        case .c3a: #"{"peft_type": "C3A", "block_size": 4}"#
        case .waveft: #"{"peft_type": "WAVEFT", "n_frequency": 10, "wavelet_family": "db3"}"#
        case .waveftDirect: #"{"peft_type": "WAVEFT", "n_frequency": 10, "use_idwt": false}"#
        case .glora: #"{"peft_type": "GLORA", "r": 2}"#
        case .gloraVectors: #"{"peft_type": "GLORA", "r": 2, "config_A_B": "vector"}"#
        case .osf: #"{"peft_type": "OSF", "effective_rank": 12}"#
        case .deft: #"{"peft_type": "DEFT", "r": 2, "decomposition_method": "qr", "alpha": 4}"#
        case .para: #"{"peft_type": "DEFT", "r": 2, "para": true}"#
        case .peanut: #"{"peft_type": "PEANUT", "r": 2, "depth": 1, "act_fn": "tanh"}"#
        case .psoft: #"{"peft_type": "PSOFT", "r": 3}"#
        case .supertuning: #"{"peft_type": "SUPERTUNING", "sparsity": 0.9, "r": 2}"#
        case .frod: #"{"peft_type": "FROD", "sparse_rate": 0.02}"#
        case .tinylora: #"{"peft_type": "TINYLORA", "r": 2, "u": 4}"#
        case .unilora: #"{"peft_type": "UNILORA", "r": 2, "theta_d_length": 5}"#
        case .uniloraSaved:
            #"{"peft_type": "UNILORA", "r": 2, "theta_d_length": 5, "save_indices": true}"#
        }
    }

    private var parts: [Part] {
        switch self {
        case .miss: [Part("miss_block", [5, 16])]
        case .missMini: [Part("miss_block", [4, 2])]
        case .missBat: [Part("miss_block", [4, 4, 4])]
        case .bone: [Part("bone_block", [5, 16])]
        case .delora:
            [
                Part("delora_A", [2, 16]), Part("delora_B", [16, 2]), Part("delora_lambda", [1]),
                Part("delora_w_norm", [16]),
            ]
        case .gralora:
            [
                Part("gralora_A", [2, 8, 4]), Part("gralora_B", [2, 4, 8]),
                Part("gralora_A_general.weight", [1, 16]),
                Part("gralora_B_general.weight", [16, 1]),
            ]
        case .c3a: [Part("c3a_kernel", [4, 4, 4])]
        case .waveft, .waveftDirect: [Part("waveft_spectrum", [10])]
        case .glora:
            [
                Part("glora_A.Xd", [16, 2]), Part("glora_A.Xu", [2, 16]),
                Part("glora_B.Xd", [16, 2]), Part("glora_B.Xu", [2, 16]),
            ] + Self.withoutBias
        case .gloraVectors:
            [Part("glora_A.X", [16, 1]), Part("glora_B.X", [16, 1])] + Self.withoutBias
        case .osf:
            [
                Part("osf_svd_params.U_low", [16, 4]), Part("osf_svd_params.S_low", [4]),
                Part("osf_svd_params.V_low", [4, 16]),
            ]
        case .deft: [Part("deft_P", [16, 2]), Part("deft_R", [2, 16])]
        case .para: [Part("deft_P", [16, 2])]
        case .peanut:
            [
                Part("peanut_A.weight", [2, 16]), Part("peanut_B.weight", [16, 2]),
                Part("peanut_encoders.0.weight", [2, 2]),
                Part("peanut_decoders.0.weight", [2, 2]),
            ]
        case .psoft:
            [
                Part("psoft_R.weight", [3]), Part("psoft_R.vector_a", [3]),
                Part("psoft_R.vector_b", [3]),
            ]
        case .supertuning:
            [
                Part("supertuning_values", [25]),
                Part("supertuning_indices", [25], integers: 256),
                Part("supertuning_lora_A.weight", [2, 16]),
                Part("supertuning_lora_B.weight", [16, 2]),
            ]
        case .frod:
            [
                Part("frod_lambda_l", [16]), Part("frod_lambda_s_values", [5]),
                Part("base_model.frod_V.self_attn_q_proj", [16, 16]),
                Part("base_model.frod_s_indices.self_attn_q_proj", [2, 5], integers: 16),
                Part("base_model.frod_s_size.self_attn_q_proj", [2], integers: 17),
            ]
        case .tinylora:
            [
                Part("tinylora_A", [2, 16]), Part("tinylora_B", [16, 2]),
                Part("tinylora_P", [4, 2, 2]), Part("base_model.tinylora_v.0", [4]),
            ]
        case .unilora: [Part("base_model.unilora_theta_d", [5])]
        case .uniloraSaved:
            [
                Part("base_model.unilora_theta_d", [5]),
                Part("unilora_indices_A", [2, 16], integers: 5),
                Part("unilora_indices_B", [16, 2], integers: 5),
                Part("unilora_scales_A", [2, 16]), Part("unilora_scales_B", [16, 2]),
            ]
        }
    }

    private static let withoutBias = [
        Part("glora_C.zeros", [16, 1]), Part("glora_D.zeros", [16]), Part("glora_E.zeros", [16]),
    ]
}
