import Adapters
import Foundation
import StrictJSON
import Testing
import Transformer

/// What a small file may make of itself: at the bound, below and above.
@Suite struct AdapterLimitsTests {
    let reading: AdapterReading
    let config = "adapter/adapter_config.json"

    init() throws { reading = try AdapterReading() }

    private func lora(_ extra: JSONObject) -> AdapterFixture {
        AdapterFixture.lora([AdapterFixture.query], extra)
    }

    private static func names(_ count: Int) -> JSONValue {
        .array((0..<count - 1).map { .string("m\($0)") } + [.string(AdapterFixture.query)])
    }

    /// One trained value, and factors of many ranks to draw places for: what that takes is known
    /// before.
    @Test func whatUniLoRADrawsCountsBeforeItIsDrawn() throws {
        let fixture = AdapterFixture(
            configuration: [
                "peft_type": .string("UNILORA"), "r": .integer(32768),
                "theta_d_length": .integer(1), "target_modules": .string("all-linear"),
            ], tensors: [FloatTensor("base_model.unilora_theta_d", [1])])
        let path = try fixture.write(to: reading.directory, name: "large")
        // Places in 64 bits, twice, and values, twice, of 32768 ranks in 14 modules.
        let least = 32768 * 464 * 24
        let registry = AdapterRegistry(
            base: reading.base, settings: .init(memoryByteCountLimit: least))
        #expect {
            try registry.load(name: "a", path: path)
        } throws: {
            if case .memoryExceeded(path, let count, least)? = $0 as? AdapterError {
                count > least
            } else {
                false
            }
        }
        #expect(registry.memory.loadCount == 0)
    }

    @Test(arguments: ["VERA", "PVERA"])
    func projectionsDrawNoMoreThanTheLimit(method: String) throws {
        let prefix = method.lowercased()
        let module = "base_model.model." + AdapterFixture.query
        let blockCount = method == "VERA" ? 1 : 2
        for rank in [8, 32768] {
            let fixture = AdapterFixture(
                configuration: [
                    "peft_type": .string(method), "r": .integer(Int64(rank)),
                    "save_projection": .bool(false),
                    "target_modules": .array([.string("layers.0.self_attn.q_proj")]),
                ],
                tensors: [
                    FloatTensor(module + ".\(prefix)_lambda_d", [blockCount * rank]),
                    FloatTensor(module + ".\(prefix)_lambda_b", [16]),
                ])
            let adapter = try reading.read(fixture)
            #expect(adapter.byteCount >= rank * 32 * 4)
        }
    }

    @Test(arguments: [AdapterLimits.nameCount, AdapterLimits.nameCount + 1])
    func listsOfTargetsAreBounded(count: Int) throws {
        let fixture = lora(["target_modules": Self.names(count)])
        guard count > AdapterLimits.nameCount else {
            let warnings = try reading.read(fixture).warnings
            #expect(warnings.count == AdapterLimits.namedUnknownTargetCount + 1)
            #expect(
                warnings[0].hasSuffix("'target_modules' names 'm0', which the base doesn't have"))
            #expect(
                warnings[5].hasSuffix(
                    "'target_modules' names \(count - 6) more that the base doesn't have"))
            return
        }
        #expect(
            reading.failure(fixture)
                == "\(config): 'target_modules' is a list of \(count) entries, expected at most 65536"
        )
    }

    @Test(arguments: ["modules_to_save", "layers_pattern"])
    func listsOfPatternsAreBounded(setting: String) {
        for count in [AdapterLimits.patternNameCount, AdapterLimits.patternNameCount + 1] {
            let list = JSONValue.array((0..<count).map { .string("m\($0)") })
            var settings: JSONObject = [setting: list]
            if setting == "layers_pattern" { settings["layers_to_transform"] = .integer(0) }
            let failure = reading.failure(lora(settings))
            let isBounded =
                failure
                == "\(config): '\(setting)' is a list of \(count) entries, expected at most 1024"
            #expect(isBounded == (count > AdapterLimits.patternNameCount), "\(failure)")
        }
    }

    @Test(arguments: [1, 5, 6, 60_000])
    func manyUnknownSettingsMakeFewWarnings(count: Int) throws {
        var fixture = lora([:])
        for index in 0..<count { fixture.configuration["future_\(index)"] = .integer(1) }
        let warnings = try reading.read(fixture).warnings
        let limit = AdapterLimits.namedUnknownSettingCount
        #expect(warnings.count == min(count, limit + 1))
        #expect(warnings[0].hasSuffix("unknown setting 'future_0' is 1 and was ignored"))
        if count > limit {
            #expect(
                warnings[limit].hasSuffix(
                    "\(count - limit) more settings are unknown and were ignored"))
        }
    }

    /// A configuration that is kept while the adapter is idle is a small one.
    @Test func aLongConfigurationIsNotKeptWhileItsAdapterIsIdle() throws {
        let registry = AdapterRegistry(base: reading.base)
        for (name, length) in [("short", 1000), ("long", AdapterLimits.keptConfigurationByteCount)]
        {
            let path = try lora(["revision": .string(String(repeating: "x", count: length))])
                .write(to: reading.directory, name: name)
            try registry.register(name: name, path: path)
            let lease = try registry.lease([SelectionEntry(name: name)])
            #expect(registry.resident(name)?.isFromKnownFiles == (name == "short"))
            lease.release()
        }
    }
}
