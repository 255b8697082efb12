import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

struct BaseModelMalformedTests {
    @Test(
        arguments: [
            (
                ["model_type": .null],
                "the configuration lacks 'model_type', which the base can't be read without"
            ),
            (
                ["model_type": .string("gpt_bigcode")],
                "setting 'model_type' is gpt_bigcode, which Graft doesn't support; it supports "
                    + "llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text, phi, phi3, smollm3, "
                    + "olmo2, granite, stablelm, gpt2, gpt_neox, falcon, bloom, starcoder2, cohere, "
                    + "glm, glm4, mixtral, qwen2_moe, qwen3_moe, granitemoe, gpt_oss"
            ),
            (
                ["hidden_act": .string("gelu")],
                "setting 'hidden_act' is gelu, which Graft doesn't support; it supports silu"
            ),
            (
                ["num_hidden_layers": .integer(0)],
                "setting 'num_hidden_layers' is 0, expected a whole number from 1 to 4096"
            ),
            (
                ["hidden_size": .string("64")],
                #"setting 'hidden_size' is "64", expected a whole number from 1 to 1048576"#
            ),
            (
                ["num_key_value_heads": .integer(3)],
                "setting 'num_key_value_heads' is 3, expected a divisor of num_attention_heads, 4"
            ),
            (
                ["num_key_value_heads": .null],
                "setting 'num_key_value_heads' is absent, which means 4 for llama, expected 2, as the "
                    + "first layer's keys have 32 rows in heads of 16: state it"
            ),
            (
                ["num_key_value_heads": .null, "model_type": .string("mistral")],
                "setting 'num_key_value_heads' is absent, which means 8 for mistral, expected a divisor "
                    + "of num_attention_heads, 4"
            ),
            (
                ["head_dim": .integer(7)],
                "setting 'head_dim' is 7, expected an even number (hidden_size / num_attention_heads "
                    + "where absent)"
            ),
            (
                ["vocab_size": .null],
                "the configuration lacks 'vocab_size', which the base can't be read without"
            ),
            (
                ["rms_norm_eps": .integer(0)],
                "setting 'rms_norm_eps' is 0, expected a number above 0"
            ),
            (
                ["tie_word_embeddings": .string("yes")],
                #"setting 'tie_word_embeddings' is "yes", expected true or false"#
            ),
            (
                [
                    "rope_parameters": .object([
                        "rope_type": .string("dynamic"), "factor": .integer(4),
                    ])
                ],
                "setting 'rope_type' is dynamic, which Graft doesn't support; it supports default, "
                    + "linear, llama3, yarn and longrope rotary scaling"
            ),
            (
                ["rope_parameters": .object(["rope_type": .string("linear")])],
                "the configuration lacks 'factor', which the base can't be read without"
            ),
            (
                ["rope_parameters": .string("x")],
                #"setting 'rope_parameters' is "x", expected an object"#
            ),
            (
                ["quantization_config": .object(["bits": .integer(4)])],
                #"setting 'quantization_config' is {"bits":4}, and can't be served: weights of this "#
                    + "kind aren't read: take the unquantised checkpoint, or a GGUF file"
            ),
            (
                ["compression_config": .object(["format": .string("int")])],
                #"setting 'compression_config' is {"format":"int"}, and can't be served: weights of "#
                    + "this kind aren't read: take the unquantised checkpoint, or a GGUF file"
            ),
            (
                ["quantization": .object(["bits": .integer(4)])],
                #"setting 'quantization' is {"bits":4}, and can't be served: weights of this "#
                    + "kind aren't read: take the unquantised checkpoint, or a GGUF file"
            ),
            (
                ["model_type": .string("llava"), "text_config": .object([:])],
                "setting 'text_config' is {}, and can't be served: a model of several parts: save its "
                    + "language model by itself, with transformers' save_pretrained"
            ),
            (
                ["transformers_weights": .string("other.safetensors")],
                #"setting 'transformers_weights' is "other.safetensors", and can't be served: it "#
                    + "names another file of weights: give that file as the base"
            ),
            (
                ["rope_scaling": .object(["full_attention": .object([:])])],
                "setting 'full_attention' is an object, and can't be served: rotary settings for each "
                    + "kind of layer aren't served yet"
            ),
            (
                ["partial_rotary_factor": .number(0.5)],
                "setting 'partial_rotary_factor' is 0.5, and can't be served: this architecture turns "
                    + "whole heads"
            ),
            (
                ["rope_parameters": .object(["partial_rotary_factor": .number(0.5)])],
                "setting 'partial_rotary_factor' is 0.5, which Graft doesn't support; it supports 1"
            ),
            (
                [
                    "model_type": .string("qwen2"), "attention_bias": .null,
                    "layer_types": .array([
                        .string("full_attention"), .string("attention"),
                        .string("sliding_attention"),
                    ]),
                ],
                "setting 'layer_types' is sliding_attention, expected full_attention, as "
                    + "use_sliding_window or sliding_window is off"
            ),
            (
                [
                    "model_type": .string("qwen2"),
                    "layer_types": .array([.string("full_attention")]),
                ],
                #"setting 'layer_types' is ["full_attention"], expected a list of 3 names"#
            ),
            (
                [
                    "model_type": .string("qwen2"),
                    "layer_types": .array([
                        .string("full_attention"), .string("conv"), .string("full_attention"),
                    ]),
                ],
                "setting 'layer_types' is conv, which Graft doesn't support; it supports "
                    + "full_attention and sliding_attention"
            ),
            (
                ["model_type": .string("qwen2"), "max_window_layers": .integer(-1)],
                "setting 'max_window_layers' is -1, expected a whole number from 0 on"
            ),
            (
                ["model_type": .string("mistral"), "sliding_window": .integer(0)],
                "setting 'sliding_window' is 0, expected a whole number from 1 to 1073741824"
            ),
            (
                ["hidden_act": .integer(3)],
                "setting 'hidden_act' is 3, expected a string"
            ),
        ] as [(JSONObject, String)])
    func aBadSettingIsNamed(settings: JSONObject, message: String) throws {
        let base = try TinyBase(settings: settings)
        #expect(base.failure?.hasSuffix(": " + message) == true, "\(base.failure ?? "opened")")
        #expect(base.failure?.hasPrefix(base.path) == true)
    }

    @Test func aMissingTensorIsNamed() throws {
        let base = try TinyBase { tensors in
            tensors.removeAll { $0.name == "model.layers.1.mlp.up_proj.weight" }
        }
        #expect(
            base.failure?.hasSuffix(
                "tensor 'model.layers.1.mlp.up_proj.weight' is missing: the file is incomplete or of "
                    + "another architecture") == true)
    }

    @Test func anUnknownTensorIsNamed() throws {
        let base = try TinyBase { tensors in
            tensors.append(.init(name: "extra", type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        #expect(
            base.failure?.hasSuffix(
                "tensor 'extra' has no place in this architecture; a base is read whole or not at "
                    + "all: check config.json's model_type") == true)
    }

    @Test(
        arguments: [
            ("_orig_mod.model.norm.weight", "_orig_mod."),
            ("model._orig_mod.norm.weight", "_orig_mod."),
            ("module.model.norm.weight", "module."),
            ("model.layers.0._fsdp_wrapped_module.mlp.up_proj.weight", "_fsdp_wrapped_module."),
            ("model.language_model.norm.weight", "language_model."),
            ("base_model.model.model.norm.weight", "base_model.model."),
            ("model.layers.0.self_attn.q_proj.base_layer.weight", "base_layer."),
            ("model.layers.0.mlp.up_proj.weight_scale_inv", ".weight_scale_inv"),
            ("model.layers.0.mlp.up_proj.scales", ".scales"),
            ("model.layers.0.mlp.up_proj.qweight", ".qweight"),
        ])
    func namesThatTellWhatAFileIsAreExplained(name: String, part: String) throws {
        let base = try TinyBase { tensors in
            tensors.append(.init(name: name, type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        let failure = base.failure ?? "opened"
        #expect(failure.contains("tensor '\(name)' has '\(part)' in its name: "), "\(failure)")
    }

    @Test func aWrongShapeIsNamed() throws {
        let base = try TinyBase(settings: ["intermediate_size": .integer(96)])
        #expect(
            base.failure?.hasSuffix("has shape [128, 64], the configuration asks for [96, 64]")
                == true)
    }

    @Test func anUnsupportedTypeIsNamed() throws {
        let base = try TinyBase { tensors in
            for index in tensors.indices where tensors[index].name == "model.embed_tokens.weight" {
                tensors[index].type = .i8
                tensors[index].bytes.removeLast(tensors[index].bytes.count * 3 / 4)
            }
        }
        #expect(
            base.failure?.hasSuffix(
                "tensor 'model.embed_tokens.weight' is of type I8; supported are F32, F16, BF16, "
                    + "Q8_0, Q4_0, Q4_1: convert the checkpoint") == true)
    }

    @Test func aDamagedPackedFileIsRefused() throws {
        let base = try TinyBase()
        let file = base.path + "/model.bin"
        try base.open().writePacked(to: file)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        let text = String(decoding: bytes.prefix(20_000), as: UTF8.self)
        #expect(text.contains("graft.layout"))
        // A layout that names another type than the bytes have.
        var damaged = bytes
        let needle = Data(#"\"type\":\"F32\",\"shape\":[512,64]"#.utf8)
        let place = try #require(damaged.range(of: needle))
        damaged.replaceSubrange(place, with: Data(#"\"type\":\"XYZ\",\"shape\":[512,64]"#.utf8))
        try damaged.write(to: URL(fileURLWithPath: file))
        #expect(throws: TransformerError.self) {
            try BaseModel.open(path: file, pool: TinyBase.pool)
        }
        do throws(TransformerError) {
            _ = try BaseModel.open(path: file, pool: TinyBase.pool)
        } catch {
            #expect(
                error.description
                    == "\(file): not a usable model.bin: 'graft.layout' can't be read; write it "
                    + "again with 'graft pack'")
        }
    }
}
