import Checkpoints
import StrictJSON
import Testing

/// What llama.cpp means where a file doesn't say.
@Suite struct GGUFArchitecturesTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// Keys of which the last that is set counts.
    private struct Keys {
        var counts: [String: UInt32] = [:]
        var reals: [String: Float] = [:]

        mutating func set(_ key: String, _ value: UInt32) { counts[key] = value }
        mutating func set(_ key: String, real: Float) { reals[key] = real }
    }

    /// Two heads of two values unless `change` says otherwise.
    private func configuration(
        _ architecture: String, _ change: (inout Keys) -> Void = { _ in }
    ) throws -> JSONObject {
        var keys = Keys()
        for (key, value) in [
            ("embedding_length", 4), ("feed_forward_length", 8), ("block_count", 1),
            ("attention.head_count", 2), ("context_length", 16), ("vocab_size", 4),
        ] as [(String, UInt32)] {
            keys.set("\(architecture).\(key)", value)
        }
        keys.set("\(architecture).attention.layer_norm_rms_epsilon", real: 0.5)
        keys.set("\(architecture).attention.layer_norm_epsilon", real: 0.25)
        change(&keys)
        var fixture = GGUFFixture()
        fixture.set("general.architecture", architecture)
        for (key, value) in keys.counts { fixture.set(key, value) }
        for (key, value) in keys.reals { fixture.set(key, real: value) }
        return try BaseCheckpoint.open(path: directory.write(fixture.file, "g")).configuration
    }

    private func windowed(_ configuration: JSONObject) -> [Bool] {
        (configuration["layer_types"]?.arrayValue ?? []).map { $0 == .string("sliding_attention") }
    }

    @Test func gemma3HasAWindowInFiveOfSixLayers() throws {
        let none = try configuration("gemma3") { $0.set("gemma3.block_count", 7) }
        #expect(
            none["sliding_window"] == .null && windowed(none) == Array(repeating: false, count: 7))
        let usual = try configuration("gemma3") {
            $0.set("gemma3.block_count", 7)
            $0.set("gemma3.attention.sliding_window", 8)
        }
        #expect(windowed(usual) == [true, true, true, true, true, false, true])
        #expect(usual["rope_local_base_freq"] == .number(10_000))
        let stated = try configuration("gemma3") {
            $0.set("gemma3.block_count", 4)
            $0.set("gemma3.attention.sliding_window", 8)
            $0.set("gemma3.attention.sliding_window_pattern", 2)
            $0.set("gemma3.rope.freq_base_swa", real: 500)
        }
        #expect(windowed(stated) == [true, false, true, false])
        #expect(stated["rope_local_base_freq"] == .number(500))
    }

    @Test func theLargestGemmasScaleScoresByHiddenSizeByHeads() throws {
        for (name, largest) in [("gemma2", 46), ("gemma3", 62)] as [(String, UInt32)] {
            for count in [largest - 1, largest, largest + 1] {
                let found = try configuration(name) {
                    $0.set("\(name).block_count", count)
                    $0.set("\(name).attention.key_length", 4)
                    $0.set("\(name).rope.dimension_count", 4)
                }
                #expect(found["query_pre_attn_scalar"] == .integer(count == largest ? 2 : 4))
            }
        }
    }

    @Test func gemma2HasCapsAndAWindow() throws {
        let usual = try configuration("gemma2") { $0.set("gemma2.block_count", 3) }
        #expect(usual["sliding_window"] == .integer(4096))
        #expect(windowed(usual) == [true, false, true])
        #expect(usual["attn_logit_softcapping"] == .number(50))
        #expect(usual["final_logit_softcapping"] == .number(30))
        let none = try configuration("gemma2") {
            $0.set("gemma2.attn_logit_softcapping", real: 0)
        }
        #expect(none["attn_logit_softcapping"] == .null)
    }

    @Test func aShareOfAHeadIsReadAsTheNumberThatItWas() throws {
        for (turned, part) in [(1, 0.5), (2, 1)] as [(UInt32, Double)] {
            let found = try configuration("phi2") { $0.set("phi2.rope.dimension_count", turned) }
            #expect(found["partial_rotary_factor"] == .number(part))
        }
        expectFailure(
            "PATH: key 'phi2.rope.dimension_count' is 3, and a head has 2", in: directory.place("g")
        ) { _ = try configuration("phi2") { $0.set("phi2.rope.dimension_count", 3) } }
    }

    @Test func windowsThatAnArchitectureHasNotAreRefused() {
        expectFailure(
            "PATH: key 'olmo2.attention.sliding_window' is 8, and can't be served: this architecture "
                + "has no window", in: directory.place("g")
        ) { _ = try configuration("olmo2") { $0.set("olmo2.attention.sliding_window", 8) } }
    }

    @Test func falconsFormsAreToldByTheirHeadsAndNorms() throws {
        let old = try configuration("falcon") {
            $0.set("falcon.attention.head_count_kv", 1)
        }
        #expect(old["new_decoder_architecture"] == .bool(false))
        let new = try configuration("falcon") {
            $0.set("falcon.attention.head_count_kv", 2)
        }
        #expect(new["new_decoder_architecture"] == .bool(true))
        #expect(new["num_ln_in_parallel_attn"] == .integer(1))
    }
}
