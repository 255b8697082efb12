import Checkpoints

/// A LoRA of rank 2 as llama.cpp has it, on the query of `TinyBase`'s first layer.
struct GGUFLoRAFixture {
    var architecture = "llama"
    var alpha: GGUFWriter.Value? = .float(4)
    var keys: [(String, GGUFWriter.Value)] = []
    var tensors = [
        FloatTensor("blk.0.attn_q.weight.lora_a", [2, 16], seed: 1),
        FloatTensor("blk.0.attn_q.weight.lora_b", [16, 2], seed: 2),
    ]

    @discardableResult
    func write(to directory: ScratchDirectory, name: String = "lora.gguf") throws -> String {
        let path = directory.path + "/" + name
        let fixed: [(String, GGUFWriter.Value)] = [
            ("general.architecture", .text(architecture)), ("general.type", .text("adapter")),
            ("adapter.type", .text("lora")), ("general.name", .text("law")),
        ]
        var rest = tensors[...]
        try GGUFWriter(
            keys: fixed + (alpha.map { [("adapter.lora.alpha", $0)] } ?? []) + keys,
            tensors: tensors.map { .init(name: $0.name, elementType: $0.type, shape: $0.shape) }
        ).write(to: path) { _ in rest.popFirst()?.bytes ?? [] }
        return path
    }
}
