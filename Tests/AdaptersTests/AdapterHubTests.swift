import Adapters
import Checkpoints
import Foundation
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

/// What becomes of AdapterHub's directories; what their numbers mean, Tests/Goldens/adapterhub
/// says.
struct AdapterHubTests {
    private let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func read(_ fixture: AdapterHubFixture) throws -> LoadedAdapter {
        try reading.read(
            path: fixture.write(to: reading.directory), options: AdapterOptions(strict: true))
    }

    @Test func aBottleneckIsNoChangeOfWeights() throws {
        let adapter = try read(.bottleneck())
        #expect(adapter.peftType == "ADAPTERHUB_BOTTLENECK")
        #expect(adapter.targets == "bottleneck of 4 at feed-forward ×2")
        #expect(adapter.parameterCount == 2 * (4 * 16 + 4 + 16 * 4 + 16))
        // As f32, with a factor of each of 16 features.
        #expect(adapter.byteCount == (adapter.parameterCount + 2 * 16) * 4)
        #expect(!adapter.operators.isWeightSpace)
        let failure = AdapterFailure.description {
            _ = try adapter.operators.merged(
                name: "law", into: reading.base, weight: 1, pool: TinyBase.pool)
        }
        #expect(
            failure
                == "adapter 'law' is no change of weights and can't be merged: it is a bottleneck, whose "
                + "activation function no change of weights can stand for; serve it attached")
    }

    @Test func whatItIsCalledAndWhereItLiesIsNoPartOfItsIdentity() throws {
        var other = AdapterHubFixture.bottleneck()
        other.tensors = other.tensors.map {
            FloatTensor(String($0.name.dropFirst("model.".count)), $0.shape, seed: 0).with(
                $0.values)
        }
        let first = try read(.bottleneck())
        #expect(try read(other).hash == first.hash)
        let packed = reading.directory.path + "/packed.lora"
        let report = try AdapterPacking.pack(from: reading.directory.path + "/hub", to: packed)
        #expect(report.hash == first.hash)
        #expect(try reading.read(path: packed).targets == first.targets)
    }

    @Test func factorsCanDifferByLayer() throws {
        var fixture = AdapterHubFixture.bottleneck(
            width: 8,
            ["reduction_factor": .object(["1": .integer(2), "default": .integer(16)])])
        fixture.configuration["leave_out"] = .array([.integer(0)])
        fixture.tensors = fixture.tensors.filter { $0.name.hasPrefix("model.layers.1.") }
        #expect(try read(fixture).targets == "bottleneck of 8 at feed-forward ×1")
        // Never less than one feature.
        let thin = AdapterHubFixture.bottleneck(width: 1, ["reduction_factor": .number(40.5)])
        #expect(try read(thin).targets == "bottleneck of 1 at feed-forward ×2")
    }

    @Test func aHeadThatIsTheBasesOwnChangesNothing() throws {
        let table = try SafetensorsFile(
            path: reading.directory.path + "/base/model.safetensors")
        let own = try #require(try table.tensor("lm_head.weight")?.floats())
        for fixture in [AdapterHubFixture.bottleneck(), .lora(), .prefix()] {
            var fixture = fixture
            fixture.head = [FloatTensor("lm_head.weight", [32, 16]).with(own)]
            #expect(try read(fixture).operators.linear[.head] == nil)
            fixture.head = [FloatTensor("lm_head.weight", [32, 16])]
            guard case .replacement = try read(fixture).operators.linear[.head]?.first else {
                Issue.record("the head is left out")
                continue
            }
        }
    }

    @Test func aHeadOfFewerTokensIsServed() throws {
        for fixture in [AdapterHubFixture.bottleneck(), .lora(), .prefix()] {
            var fixture = fixture
            fixture.head = [FloatTensor("lm_head.weight", [31, 16])]
            let operators = try read(fixture).operators
            #expect(operators.vocabulary?.tokenCount == 31)
            guard case .replacement(let head, _) = operators.linear[.head]?.first else {
                Issue.record("the head is left out")
                continue
            }
            #expect(head.outputCount == 31)
        }
    }

    /// Releases before 1.1.0 trained with a scaling of 1; the library corrects the setting.
    @Test(arguments: [
        ("adapters.1.3.0", Float(3)), ("adapters.1.1.0", 3), ("adapters.1.0.1", 1),
        ("adapters.0.2.2", 1), ("0.1", 3),
    ])
    func aFaultyScalingIsCorrected(version: String, scaling: Float) throws {
        var fixture = AdapterHubFixture.lora()
        fixture.version = version
        let slot = LinearSlot.layer(0, .query)
        guard case .lowRank(let lowRank) = try read(fixture).operators.linear[slot]?.first else {
            Issue.record("no low-rank operator")
            return
        }
        #expect(lowRank.scaling == scaling)
    }

    @Test func bottlenecksAndTheirPrefixesAreNothingThatPEFTHas() throws {
        func failure(_ fixture: AdapterHubFixture) throws -> String {
            let path = try fixture.write(to: reading.directory)
            return reading.failure {
                _ = try AdapterConversion(from: path, basePath: reading.directory.path + "/base")
                    .write(as: .peft, to: reading.directory.path + "/out")
            }
        }
        #expect(
            try failure(.bottleneck())
                == "hub: can't be converted: PEFT has no bottlenecks and no unions: serve it as it is, or pack it with "
                + "graft pack")
        #expect(
            try failure(.prefix())
                == "hub: can't be converted: its tokens are counted from 0, and those behind a prefix of "
                + "PEFT from the prefix on: serve it as it is, or pack it with graft pack")
    }
}

extension FloatTensor {
    /// The same tensor with other values.
    func with(_ values: [Float]) -> FloatTensor {
        var tensor = self
        tensor.values = values
        return tensor
    }
}
