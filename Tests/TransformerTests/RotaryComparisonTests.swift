import Foundation
import StrictJSON
import Testing
import Transformer

/// Two configurations that turn heads alike may say it in different ways.
@Suite struct RotaryComparisonTests {
    private func rotary(_ scaling: String) throws -> RotarySpec {
        let text = """
            {"model_type":"llama","vocab_size":32,"hidden_size":64,"intermediate_size":24,
             "num_hidden_layers":1,"num_attention_heads":4,"rope_theta":500000.0,
             "max_position_embeddings":256,"rope_scaling":\(scaling)}
            """
        let object = try #require(try JSONValue(parsing: text).objectValue)
        let spec = try DecoderSpec(object, file: "config.json")
        return try #require(spec.layers[0].attention.rotary)
    }

    /// llama.cpp's converter stores what Llama 3's rule divides frequencies by.
    private func divisors(factor: Double) -> String {
        let values = (0..<8).map { pair -> Double in
            let wavelength = 2 * Double.pi * pow(500_000, Double(2 * pair) / 16)
            if wavelength < 64.0 / 4 { return 1 }
            if wavelength > 64.0 / 1 { return factor }
            let smooth = (64 / wavelength - 1) / (4 - 1)
            return 1 / ((1 - smooth) / factor + smooth)
        }
        return "{\"rope_type\":\"divisors\",\"divisors\":\(values.map { Double(Float($0)) })}"
    }

    @Test func aRuleAndItsDivisorsAreOne() throws {
        let rule = try rotary(
            #"{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}"#
        )
        #expect(rule.rotates(like: try rotary(divisors(factor: 8))))
        #expect(!rule.rotates(like: try rotary(divisors(factor: 4))))
        #expect(!rule.rotates(like: try rotary("null")))
    }
}
