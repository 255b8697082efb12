import Adapters
import Foundation
import StrictJSON
import Testing

/// What is taken apart for other uses is what is served, and refused where that is.
@Suite struct PlainLoRATests {
    let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private static let refused: [JSONObject] = [
        ["init_lora_weights": .string("milora")], ["init_lora_weights": .string("corda")],
        ["init_lora_weights": .string("lora_ga")], ["init_lora_weights": .string("loftq")],
        ["init_lora_weights": .string("pissa_niter_4")],
        ["init_lora_weights": .string("novel")], ["init_lora_weights": .integer(3)],
        ["use_qalora": .bool(true)], ["arrow_config": .object(["a": .integer(1)])],
        ["megatron_config": .object(["a": .integer(1)])], ["r": .integer(3)],
        ["r": .integer(1 << 16)], ["lora_alpha": .string("8")],
        ["rank_pattern": .object(["q_proj": .integer(5)])],
        ["alpha_pattern": .object(["q_proj": .string("5")])], ["use_rslora": .string("yes")],
        ["target_modules": .string("(")],
    ]

    /// Serving an adapter, combining it with itself, and converting it.
    private func outcomes(_ fixture: AdapterFixture) throws -> [String] {
        let path = try fixture.write(to: reading.directory)
        let out = reading.directory.path + "/out"
        defer { try? FileManager.default.removeItem(atPath: out) }
        let uses: [() throws -> Void] = [
            { _ = try reading.read(path: path) },
            {
                _ = try AdapterCombination(
                    [("a", path, 1), ("b", path, 1)], options: CombinationOptions(method: .cat))
            },
            { _ = try AdapterConversion(from: path).write(as: .loralib, to: out) },
        ]
        return uses.map(reading.failure)
    }

    @Test(arguments: refused)
    func whatIsNotServedIsNotTakenApart(settings: JSONObject) throws {
        let outcomes = try outcomes(AdapterFixture.lora([AdapterFixture.query], settings))
        #expect(outcomes[0] != "no error")
        #expect(outcomes == Array(repeating: outcomes[0], count: 3))
    }

    @Test(
        arguments: [
            ["target_modules": .array([.string("k_proj")])],
            ["exclude_modules": .array([.string("q_proj")])],
            ["target_modules": .string("all-linear"), "exclude_modules": .string(".*q_proj")],
        ] as [JSONObject])
    func factorsThatNothingTargetsAreNotTakenApart(settings: JSONObject) throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query, "model.layers.0.self_attn.k_proj"])
        for (key, value) in settings { fixture.configuration[key] = value }
        let outcomes = try outcomes(fixture)
        #expect(outcomes.allSatisfy { $0 != "no error" })
        for outcome in outcomes.dropFirst() {
            #expect(outcome.contains("self_attn.q_proj.lora_A.weight': the configuration's"))
        }
    }

    @Test(
        arguments: [
            ["target_modules": .string("all-linear")], ["init_lora_weights": .string("eva")],
            ["init_lora_weights": .string("orthogonal")], ["use_rslora": .bool(true)],
            ["target_modules": .string(".*self_attn.*(q|v)_proj")], ["lora_alpha": .number(0.5)],
        ] as [JSONObject])
    func whatIsServedIsTakenApart(settings: JSONObject) throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        for (key, value) in settings { fixture.configuration[key] = value }
        if settings["target_modules"] == .string("all-linear") {
            fixture.configuration["layers_to_transform"] = nil
        }
        #expect(try outcomes(fixture).dropFirst().allSatisfy { $0 == "no error" })
    }
}
