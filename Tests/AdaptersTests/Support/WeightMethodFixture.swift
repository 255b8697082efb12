import Checkpoints
import StrictJSON
import Testing

/// The smallest file of a method that changes weights, on the query projection of `TinyBase`, which
/// has 16 inputs and as many outputs.
struct WeightMethodFixture: Sendable, CustomTestStringConvertible {
    /// PEFT's spelling.
    let type: String
    let adapter: AdapterFixture

    var testDescription: String { type }

    private init(
        _ type: String, _ settings: JSONObject, _ parts: [(String, [Int])],
        shared: [(String, [Int])] = []
    ) {
        self.type = type
        var configuration: JSONObject = [
            "peft_type": .string(type), "target_modules": .array([.string(AdapterFixture.query)]),
            "peft_version": .string("0.21.2"),
        ]
        for (key, value) in settings { configuration[key] = value }
        let tensors =
            parts.map { FloatTensor("base_model.model.\(AdapterFixture.query).\($0)", $1) }
            + shared.map { FloatTensor("base_model.\($0)", $1) }
        adapter = AdapterFixture(configuration: configuration, tensors: tensors)
    }

    private init(_ type: String, _ adapter: AdapterFixture) {
        self.type = type
        self.adapter = adapter
    }

    static let all = [
        WeightMethodFixture(
            "LOHA", ["r": .integer(2), "alpha": .integer(4)],
            [
                ("hada_w1_a", [16, 2]), ("hada_w1_b", [2, 16]), ("hada_w2_a", [16, 2]),
                ("hada_w2_b", [2, 16]),
            ]),
        WeightMethodFixture(
            "LOKR", ["r": .integer(1), "alpha": .integer(4)],
            [("lokr_w1", [4, 4]), ("lokr_w2_a", [4, 1]), ("lokr_w2_b", [1, 4])]),
        WeightMethodFixture(
            "OFT",
            ["r": .integer(0), "oft_block_size": .integer(4), "use_cayley_neumann": .bool(true)],
            [("oft_R.weight", [4, 6])]),
        WeightMethodFixture(
            "BOFT", ["boft_block_size": .integer(4), "boft_block_num": .integer(0)],
            [("boft_R", [1, 4, 4, 4]), ("boft_s", [16, 1])]),
        WeightMethodFixture("HRA", ["r": .integer(2)], [("hra_u", [16, 2])]),
        WeightMethodFixture(
            "ROAD", ["variant": .string("road_1"), "group_size": .integer(4)],
            [("road_theta", [8]), ("road_alpha", [8])]),
        WeightMethodFixture(
            "VERA", ["r": .integer(3)], [("vera_lambda_d", [3]), ("vera_lambda_b", [16])],
            shared: [("vera_A", [3, 16]), ("vera_B", [16, 3])]),
        WeightMethodFixture(
            "PVERA", ["r": .integer(3)], [("pvera_lambda_d", [6]), ("pvera_lambda_b", [16])],
            shared: [("pvera_A", [6, 16]), ("pvera_B", [16, 3])]),
        WeightMethodFixture(
            "FOURIERFT", ["n_frequency": .integer(5)], [("fourierft_spectrum", [5])]),
        sparse,
        WeightMethodFixture(
            "VBLORA",
            [
                "r": .integer(2), "num_vectors": .integer(6), "vector_length": .integer(4),
                "topk": .integer(2),
            ],
            [("vblora_logits_A", [2, 4, 6]), ("vblora_logits_B", [4, 2, 6])],
            shared: [("vblora_vector_bank", [6, 4])]),
        WeightMethodFixture(
            "RANDLORA", ["r": .integer(6)],
            [("randlora_lambda", [6, 3]), ("randlora_gamma", [3, 16])],
            shared: [("randlora_A", [6, 1, 16]), ("randlora_B", [16, 3, 6])]),
        WeightMethodFixture(
            "HIRA", ["r": .integer(2)], [("hira_A", [2, 16]), ("hira_B", [16, 2])]),
    ]

    /// Entry i at output i / 2, input 3 i mod 16.
    private static var sparse: WeightMethodFixture {
        let fixture = WeightMethodFixture(
            "SHIRA", ["r": .integer(1)], [("shira_indices", [2, 32]), ("shira_weight", [32])])
        var adapter = fixture.adapter
        adapter.tensors[0].type = .i32
        adapter.tensors[0].values =
            (0..<32).map { Float($0 / 2) } + (0..<32).map { Float($0 * 3 % 16) }
        return WeightMethodFixture("SHIRA", adapter)
    }
}
