import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// Sizes that small files of other formats claim, at and above what is made of them.
@Suite struct ForeignLimitsTests {
    private let directory: ScratchDirectory
    private let encoder = "prefix_encoder."

    init() throws { directory = try ScratchDirectory() }

    private func failure(
        _ tensors: [FloatTensor], settings: String = "{}"
    ) throws -> String {
        let path = directory.path + "/file.safetensors"
        try FloatTensor.write(tensors, to: path)
        return AdapterFailure.description {
            _ = try AdapterConversion(from: path, settings: settings)
        }.replacingOccurrences(of: directory.path + "/", with: "")
    }

    @Test func productsOfSizesDoNotOverflow() throws {
        let table = FloatTensor(encoder + "embedding.weight", [3, 32])
        #expect(
            try failure(
                [table],
                settings: #"{"num_layers":16777216,"kv_heads":16777216,"head_dim":16777216}"#
            )
                == "file.safetensors: 'num_layers' is 16777216, with 16777216 heads of 16777216, expected "
                + "numbers whose product is half the prefix's width, 16")
    }

    private func network(_ tokenCount: Int, _ width: Int) -> [FloatTensor] {
        [
            FloatTensor(encoder + "embedding.weight", [tokenCount, 1]),
            FloatTensor(encoder + "trans.0.weight", [1, 1]),
            FloatTensor(encoder + "trans.0.bias", [1]),
            FloatTensor(encoder + "trans.2.weight", [width, 1]),
            FloatTensor(encoder + "trans.2.bias", [width]),
        ]
    }

    /// 1.5 MB of weights, 64 GB of values.
    @Test func aNetworkMakesNoMoreValuesThanItMay() throws {
        #expect(
            try failure(network(1 << 14, (1 << 14) + 1))
                == "file.safetensors: tensor 'prefix_encoder.trans.2.weight' can't be used: for 16384 "
                + "tokens it makes 16385 values each, and the limit is 268435456 in all; use the file as it "
                + "was saved")
        #expect(try failure(network(8, 64)) == "no error")
    }

    @Test(arguments: ["embedding.weight", "trans.0.weight", "trans.0.bias", "trans.2.bias"])
    func tensorsWithoutValuesAreRefused(name: String) throws {
        var tensors = network(3, 32)
        let index = try #require(tensors.firstIndex { $0.name == encoder + name })
        let shape = [0] + tensors[index].shape.dropFirst()
        tensors[index] = FloatTensor(encoder + name, shape)
        let expected = [1] + shape.dropFirst()
        #expect(
            try failure(tensors)
                == "file.safetensors: tensor '\(encoder)\(name)' has shape \(shape), expected "
                + "\(expected): it has no values: gather a sharded model before it is saved")
    }

    @Test func factorsWithoutValuesAreRefused() throws {
        for (shapeOfA, shapeOfB) in [
            ([0, 16], [16, 2]), ([2, 16], [16, 0]), ([2, 0], [0, 2]),
        ] {
            for leaf in ["q_proj", "c_attn", "wte"] {
                let failure = try failure(
                    [
                        FloatTensor(leaf + ".lora_A", shapeOfA),
                        FloatTensor(leaf + ".lora_B", shapeOfB),
                    ], settings: #"{"lora_alpha":4,"enable_lora":[true]}"#)
                #expect(failure.contains("it has no values"))
            }
        }
    }

    @Test func adapterHubsPrefixesNeedValues() throws {
        let prefix = "model.layers.0.self_attn.prefix_tuning.pool.prefix_tunings.law.self_prefix."
        var fixture = AdapterHubFixture.prefix(["flat": .bool(false)])
        fixture.tensors = [
            FloatTensor(prefix + "wte.weight", [3, 16]),
            FloatTensor(prefix + "control_trans.0.weight", [0, 16]),
            FloatTensor(prefix + "control_trans.0.bias", [0]),
            FloatTensor(prefix + "control_trans.2.weight", [32, 0]),
            FloatTensor(prefix + "control_trans.2.bias", [32]),
        ]
        let path = try fixture.write(to: directory)
        let failure = AdapterFailure.description { _ = try AdapterConversion(from: path) }
        #expect(failure.contains("it has no values"))
    }

    @Test func adapterHubsBottleneckSizeIsHeld() throws {
        let reading = try AdapterReading()
        let prefix = "model.layers.0.self_attn.prefix_tuning.pool.prefix_tunings.law.self_prefix."
        func failure(_ inner: Int) throws -> String {
            var fixture = AdapterHubFixture.prefix(["flat": .bool(false)])
            fixture.tensors = [
                FloatTensor(prefix + "wte.weight", [3, 16]),
                FloatTensor(prefix + "control_trans.0.weight", [inner, 16]),
                FloatTensor(prefix + "control_trans.0.bias", [inner]),
                FloatTensor(prefix + "control_trans.2.weight", [32, inner]),
                FloatTensor(prefix + "control_trans.2.bias", [32]),
            ]
            let path = try fixture.write(to: reading.directory)
            return reading.failure { _ = try reading.read(path: path) }
        }
        #expect(try failure(8) == "no error")
        #expect(
            try failure(4).hasSuffix(
                "control_trans.0.weight' has shape [4, 16], expected [8, 16]: 'bottleneck_size' is 8"
            ))
    }

    @Test(arguments: [(16, false), (17, true)])
    func aMatrixHasSoManyProjections(count: Int, isRefused: Bool) throws {
        let flags = "[true" + String(repeating: ",false", count: count - 1) + "]"
        let failure = try failure(
            [FloatTensor("c_attn.lora_A", [2, 16]), FloatTensor("c_attn.lora_B", [16, 2])],
            settings: "{\"lora_alpha\":4,\"enable_lora\":\(flags)}")
        #expect(
            failure
                == (isRefused
                    ? "file.safetensors: 'enable_lora' is a list of 17, expected at most 16 projections in "
                        + "one matrix" : "no error"))
    }

    @Test(arguments: [(256, false), (257, true)])
    func aHypercomplexDimensionHasALimit(dimension: Int, isRefused: Bool) throws {
        let reading = try AdapterReading()
        let path = try AdapterHubFixture.bottleneck([
            "phm_layer": .bool(true), "phm_dim": .integer(Int64(dimension)),
        ]).write(to: reading.directory)
        let failure = reading.failure { _ = try reading.read(path: path) }
        #expect(
            failure.hasPrefix(
                "hub/adapter_config.json: 'phm_dim' is \(dimension), expected "
                    + (isRefused ? "a whole number from 1 to 256" : "a divisor of 16")))
    }

    /// Matrices of small factors, which a factor below 1 makes wide.
    @Test(arguments: [(0.25, false), (0.125, true)])
    func aHypercomplexNetworkIsOnlySoWide(factor: Double, isRefused: Bool) throws {
        let reading = try AdapterReading()
        let path = try AdapterHubFixture.bottleneck([
            "phm_layer": .bool(true), "reduction_factor": .number(factor),
        ]).write(to: reading.directory)
        let failure = reading.failure { _ = try reading.read(path: path) }
        #expect(
            failure.contains("expected one that leaves at most 4 times the hidden size, 16")
                == isRefused, "\(failure)")
    }
}
