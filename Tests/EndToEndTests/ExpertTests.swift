import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Bases whose layers have experts, beside what ArchitectureGoldenTests checks of all.
struct ExpertTests {
    static let names = ["mixtral", "qwen2-moe", "qwen3-moe", "granitemoe", "gpt-oss"]

    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static func path(_ name: String) -> String {
        Checkout.path("Tests/Goldens/architectures/" + name)
    }

    private func open(_ path: String) throws -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool)
    }

    private func operators(_ path: String, on base: BaseModel) throws -> AdapterOperators {
        try AdapterReader.read(
            name: "lora", path: path, slots: base.slots, base: base, pool: Self.pool
        ).operators
    }

    private func tokens(_ count: Int, seed: Int) -> [Int32] {
        (0..<count).map { Int32(($0 * 37 + seed * 101 + $0 / 7) % 45 + 3) }
    }

    /// Who shares a step shares experts, too: their rows are gathered together.
    @Test(arguments: names)
    func aRequestHasTheSameBitsAloneAndAmongOthers(name: String) throws {
        let base = try open(Self.path(name))
        let lora = try operators(Self.path(name) + "/lora", on: base)
        let plans = try [
            AdapterPlan.base(base.slots),
            AdapterPlan(
                [SelectedOperators(name: "lora", operators: lora, weight: 1)], slots: base.slots),
            AdapterPlan(
                [SelectedOperators(name: "lora", operators: lora, weight: 0.5)], slots: base.slots),
        ]
        let steps = InvarianceTests()
        for (index, plan) in plans.enumerated() {
            let request = InvarianceTests.Request(plan: plan, tokens: tokens(40, seed: index))
            let alone = steps.logits([request], base: base, chunk: 512, threads: 1)
            for chunk in [1, 7, 16] {
                let cut = steps.logits([request], base: base, chunk: chunk, threads: 2)
                #expect(cut == alone, "selection \(index), chunks of \(chunk)")
            }
            for (batchCount, chunk) in [(2, 512), (5, 16), (9, 7), (16, 1)] {
                let others = (1..<batchCount).map {
                    InvarianceTests.Request(
                        plan: plans[(index + $0) % plans.count],
                        tokens: tokens(5 + $0 * 11 % 40, seed: 1000 + $0))
                }
                let together = steps.logits(
                    [request] + others, base: base, chunk: chunk, threads: 1 + batchCount % 2)
                #expect(together == alone, "selection \(index), \(batchCount) in a batch")
            }
        }
    }

    /// The tensors that transformers 5 has in memory.
    @Test(arguments: ["qwen2-moe", "qwen3-moe"])
    func expertsInTwoTensorsAreTheSame(name: String) throws {
        let path = directory.file("stacked")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: Self.path(name) + "/config.json", toPath: path + "/config.json")
        try writeStacked(
            SafetensorsFile(path: Self.path(name) + "/model.safetensors"),
            to: path + "/model.safetensors")
        let logits = try [Self.path(name), path].map { path in
            let base = try open(path)
            return SequenceRunner(
                base: base, plan: AdapterPlan.base(base.slots), pool: Self.pool
            ).logits(tokens(40, seed: 1))
        }
        #expect(logits[0] == logits[1])
    }

    private func writeStacked(_ file: SafetensorsFile, to path: String) throws {
        var tensors: [(tensor: SafetensorsWriter.Tensor, bytes: [UInt8])] = []
        func view(_ name: String) throws -> TensorView { try file.requiredTensor(name) }
        func bytes(_ view: TensorView) -> [UInt8] {
            withExtendedLifetime(view.owner) { Array(view.bytes) }
        }
        for name in file.tensorNames where !name.contains(".experts.") {
            let view = try view(name)
            tensors.append(
                (.init(name: name, elementType: view.elementType, shape: view.shape), bytes(view)))
        }
        let first = "mlp.experts.0.gate_proj.weight"
        for name in file.tensorNames where name.hasSuffix(first) {
            let layer = name.dropLast(first.count)
            var (inputs, downs): ([UInt8], [UInt8]) = ([], [])
            var count = 0
            while file.tensor("\(layer)mlp.experts.\(count).gate_proj.weight") != nil {
                let expert = "\(layer)mlp.experts.\(count)."
                inputs += bytes(try view(expert + "gate_proj.weight"))
                inputs += bytes(try view(expert + "up_proj.weight"))
                downs += bytes(try view(expert + "down_proj.weight"))
                count += 1
            }
            let gate = try view(name)
            let (width, hiddenSize) = (gate.shape[0], gate.shape[1])
            tensors.append(
                (
                    .init(
                        name: layer + "mlp.experts.gate_up_proj", elementType: gate.elementType,
                        shape: [count, 2 * width, hiddenSize]), inputs
                ))
            tensors.append(
                (
                    .init(
                        name: layer + "mlp.experts.down_proj", elementType: gate.elementType,
                        shape: [count, hiddenSize, width]), downs
                ))
        }
        var rest = tensors[...]
        try SafetensorsWriter(tensors: tensors.map(\.tensor)).write(to: path) {
            (_, sink) throws(CheckpointError) in
            guard let next = rest.popFirst() else { return }
            try sink.write(next.bytes)
        }
    }

    @Test(
        arguments: [
            (
                "mixtral", "num_experts_per_tok", JSONValue.integer(7),
                "setting 'num_experts_per_tok' is 7, expected no more than the 6 experts"
            ),
            (
                "mixtral", "num_local_experts", .integer(7),
                "tensor 'model.layers.0.block_sparse_moe.gate.weight' has shape [6, 32], the "
                    + "configuration asks for [7, 32]"
            ),
            (
                "qwen2-moe", "mlp_only_layers", .string("1"),
                "setting 'mlp_only_layers' is \"1\", expected a list of layers"
            ),
            (
                "qwen3-moe", "mlp_only_layers", .array([]),
                "tensor 'model.layers.0.mlp.gate.weight' is missing: the file is incomplete or of "
                    + "another architecture"
            ),
            (
                "granitemoe", "intermediate_size", .integer(40),
                "tensor 'model.layers.0.block_sparse_moe.input_linear.weight' has shape "
                    + "[6, 96, 32], the configuration asks for [6, 80, 32]"
            ),
            (
                "gpt-oss", "swiglu_alpha", .integer(2),
                "setting 'swiglu_alpha' is 2.0, which Graft doesn't support; it supports 1.702"
            ),
            (
                "gpt-oss", "quantization_config", .object(["quant_method": .string("mxfp4")]),
                "setting 'quantization_config' is {\"quant_method\":\"mxfp4\"}, and can't be served: "
                    + "the experts are in MXFP4, which isn't read from safetensors: take a "
                    + "checkpoint in bf16"
            ),
        ] as [(String, String, JSONValue, String)])
    func whatCannotBeReadIsNamed(
        name: String, key: String, value: JSONValue, message: String
    ) throws {
        let path = directory.file(name)
        try FileManager.default.copyItem(atPath: Self.path(name), toPath: path)
        try change(path + "/config.json") { $0[key] = value }
        let error = #expect(throws: TransformerError.self) { _ = try open(path) }
        let text = error?.description ?? ""
        #expect(text.hasSuffix(message), "\(text)")
    }

    @Test func factorsOfAllExpertsInOneTensorAreRefused() throws {
        let base = try open(Self.path("qwen3-moe"))
        let path = directory.file("adapter")
        try FileManager.default.copyItem(
            atPath: Self.path("qwen3-moe") + "/lora", toPath: path)
        try change(path + "/adapter_config.json") {
            $0["target_parameters"] = .array([.string("mlp.experts.gate_up_proj")])
        }
        let error = #expect(throws: AdapterError.self) { _ = try operators(path, on: base) }
        let text = error?.description ?? ""
        #expect(
            text.contains(
                "'target_parameters' names 'mlp.experts.gate_up_proj': factors for all experts in "
                    + "one tensor aren't read"), "\(text)")
    }

    private func change(_ path: String, _ body: (inout JSONObject) -> Void) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var object = try #require(try JSONValue(parsing: text).objectValue)
        body(&object)
        try JSONValue.object(object).serialized().write(
            toFile: path, atomically: true, encoding: .utf8)
    }
}
