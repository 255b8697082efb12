import Adapters
import Foundation
import Testing

/// Thousands of damaged files, each by its seed: reading one ends with an adapter or with a
/// sentence.
@Suite struct MutatedFilesTests {
    private static let count = 1500
    private let directory: ScratchDirectory

    init() throws { directory = try ScratchDirectory() }

    private func golden(_ name: String) throws -> [UInt8] {
        [UInt8](
            try Data(
                contentsOf: URL(fileURLWithPath: ReferenceFiles.path("conversion/" + name))))
    }

    /// Reads each mutant, and writes what can be read.
    private func run(
        _ name: String, settings: String = "{}", _ mutant: (inout ByteMutator) -> [UInt8]
    ) throws {
        let path = directory.path + "/" + name
        for seed in 0..<UInt64(Self.count) {
            var mutator = ByteMutator(seed: seed)
            try Data(mutant(&mutator)).write(to: URL(fileURLWithPath: path))
            let output = directory.path + "/out.lora"
            let failure = AdapterFailure.description {
                _ = try AdapterConversion(from: path, settings: settings)
                    .write(as: .peft, to: output)
            }
            try #require(!failure.isEmpty && failure.utf8.count < 4000, "seed \(seed)")
        }
    }

    /// Opcodes with their arguments, among them those that fill, nest, keep and call.
    private static let opcodes: [[UInt8]] =
        [
            "}", "]", ")", "(", "N", "t", "u", "s", "a", "e", "b", "R", "Q", ".", "q\0", "h\0",
            "q\u{1}", "h\u{1}", "h\u{7}", "K\0", "K\u{2}", "X\u{5}\0\0\0model",
        ].map { Array($0.utf8) }
        + [[0x85], [0x86], [0x87], [0x88], [0x94], [0x8A, 0], [0x93]]
        + [1 << 62, -1, .max, .min, 1 << 31].map(Pickle.integer)
        + [
            Pickle.tuple([2, 2, 2]), Pickle.tuple([1 << 40, 1 << 40]), Pickle.tuple([0, 0]),
            Pickle.global("torch", "DoubleStorage"),
            Pickle.global("collections", "OrderedDict") + Array(")R".utf8),
            Pickle.tensor([1, 1], strides: [1, 1], elementCount: 32),
        ]

    private static let storages = [
        "0": [UInt8](repeating: 1, count: 128), "1": [UInt8](repeating: 2, count: 128),
    ]

    /// The archive is whole, and what is in it isn't.
    @Test func damagedPicklesEndInSentences() throws {
        let pickle = Pickle.dictionary([
            ("q.lora_A", Pickle.tensor([2, 16], strides: [16, 1], elementCount: 32)),
            ("q.lora_B", Pickle.tensor([16, 2], strides: [1, 16], key: "1", elementCount: 32)),
        ])
        try run("lora.pt", settings: #"{"lora_alpha":4}"#) { mutator in
            TorchFixture(
                pickle: mutator.mutated(pickle, words: Self.opcodes), storages: Self.storages
            ).bytes
        }
    }

    @Test(arguments: ["lora.pt", "merged.pt"])
    func damagedArchivesEndInSentences(name: String) throws {
        let stored = try golden(name)
        let words: [[UInt8]] = [
            [0x50, 0x4B, 1, 2], [0x50, 0x4B, 3, 4], [0x50, 0x4B, 5, 6], [0x50, 0x4B, 6, 6],
            [0x50, 0x4B, 6, 7], [1, 0, 16, 0], [0xFF, 0xFF, 0xFF, 0xFF],
        ]
        let settings = #"{"lora_alpha":4,"enable_lora":[true,false,true]}"#
        try run(name, settings: settings) { $0.mutated(stored, words: words) }
    }

    @Test(arguments: ["llama-cpp-f32.gguf", "llama-cpp-q8_0.gguf"])
    func damagedGGUFFilesEndInSentences(name: String) throws {
        let stored = try golden(name)
        let words =
            ["adapter.lora.alpha", "general.type", "lora_a", "blk.0."].map { Array($0.utf8) }
        // Rows in llama.cpp's order need the base, which is read before the tensors are.
        try run(name) { mutator in
            // What lies before the values, where most damage would have no effect.
            let header = Array(stored[..<min(stored.count, 2400)])
            return mutator.mutated(header, words: words) + stored[header.count...]
        }
    }

    @Test(arguments: ["loralib/lora.safetensors", "prefix-projected/prefix_encoder.safetensors"])
    func damagedSafetensorsEndInSentences(name: String) throws {
        let stored = try golden(name)
        let words = ["[0,", "],", "4294967296", "\"F32\"", ".weight", ".bias", "-1", "1e300"]
            .map { Array($0.utf8) }
        let settings =
            #"{"lora_alpha":6,"num_layers":2,"kv_heads":2,"head_dim":4,"pre_seq_len":5}"#
        try run(name.replacing("/", with: "-"), settings: settings) {
            $0.mutated(stored, words: words)
        }
    }
}
