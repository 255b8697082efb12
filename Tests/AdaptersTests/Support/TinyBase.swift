import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Transformer

/// A base of the Llama family made in code: 2 layers, hidden size 16, 2 key-value heads of
/// dimension 4.
struct TinyBase {
    var isTied = false
    var hasAttentionBias = false
    var elementType = ElementType.f32

    static let pool = WorkerPool(threadCount: 1)

    /// The model and its checkpoint; the directory stays for the test to read.
    func open(in directory: ScratchDirectory) throws -> (
        model: BaseModel, checkpoint: BaseCheckpoint
    ) {
        let path = directory.path + "/base"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try AtomicFile.write(configuration.serialized(), to: path + "/config.json")
        let tensors = shapes.map {
            FloatTensor(
                $0.0, $0.1, seed: UInt64($0.0.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }),
                type: elementType)
        }
        try FloatTensor.write(tensors, to: path + "/model.safetensors")
        let checkpoint = try BaseCheckpoint.open(path: path)
        return (try BaseModel(checkpoint: checkpoint, pool: Self.pool), checkpoint)
    }

    private var configuration: JSONValue {
        .object([
            "architectures": .array([.string("LlamaForCausalLM")]), "model_type": .string("llama"),
            "vocab_size": .integer(32), "hidden_size": .integer(16),
            "intermediate_size": .integer(24), "num_hidden_layers": .integer(2),
            "num_attention_heads": .integer(4), "num_key_value_heads": .integer(2),
            "rms_norm_eps": .number(1e-5), "rope_theta": .number(10000),
            "max_position_embeddings": .integer(64), "hidden_act": .string("silu"),
            "tie_word_embeddings": .bool(isTied), "attention_bias": .bool(hasAttentionBias),
        ])
    }

    private var shapes: [(String, [Int])] {
        var shapes: [(String, [Int])] = [("model.embed_tokens.weight", [32, 16])]
        for layer in 0..<2 {
            let name = "model.layers.\(layer)."
            for (module, outputCount) in [("q", 16), ("k", 8), ("v", 8), ("o", 16)] {
                shapes.append((name + "self_attn.\(module)_proj.weight", [outputCount, 16]))
                if hasAttentionBias {
                    shapes.append((name + "self_attn.\(module)_proj.bias", [outputCount]))
                }
            }
            shapes.append((name + "mlp.gate_proj.weight", [24, 16]))
            shapes.append((name + "mlp.up_proj.weight", [24, 16]))
            shapes.append((name + "mlp.down_proj.weight", [16, 24]))
            shapes.append((name + "input_layernorm.weight", [16]))
            shapes.append((name + "post_attention_layernorm.weight", [16]))
        }
        shapes.append(("model.norm.weight", [16]))
        if !isTied { shapes.append(("lm_head.weight", [32, 16])) }
        return shapes
    }
}

/// A directory of its own, removed with the last reference.
final class ScratchDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "graft-adapters-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A tensor of reproducible values.
struct FloatTensor {
    let name: String
    let shape: [Int]
    var values: [Float]
    var type: ElementType

    init(_ name: String, _ shape: [Int], seed: UInt64 = 1, type: ElementType = .f32) {
        self.name = name
        self.shape = shape
        self.type = type
        var state = seed
        values = (0..<shape.reduce(1, *)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(Int32.max) - 0.5
        }
    }

    var bytes: [UInt8] {
        switch type {
        case .bf16:
            values.flatMap { value in
                withUnsafeBytes(of: HalfPrecision.bf16(value).littleEndian) { [UInt8]($0) }
            }
        case .f16:
            values.flatMap { value in
                withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { [UInt8]($0) }
            }
        case .i64:
            values.flatMap { value in withUnsafeBytes(of: Int64(value).littleEndian) { [UInt8]($0) }
            }
        case .i32:
            values.flatMap { value in withUnsafeBytes(of: Int32(value).littleEndian) { [UInt8]($0) }
            }
        default: values.flatMap { value in withUnsafeBytes(of: value) { [UInt8]($0) } }
        }
    }

    static func write(
        _ tensors: [FloatTensor], metadata: [String: String] = [:], to path: String
    ) throws {
        let writer = SafetensorsWriter(
            tensors: tensors.map { .init(name: $0.name, elementType: $0.type, shape: $0.shape) },
            metadata: metadata)
        var index = 0
        try writer.write(to: path) { (_, sink) throws(CheckpointError) in
            try sink.write(tensors[index].bytes)
            index += 1
        }
    }
}
