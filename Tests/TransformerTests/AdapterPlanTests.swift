import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

struct AdapterPlanTests {
    private let base: BaseModel

    init() throws { base = try TinyBase().open() }

    private func matrix(_ outputCount: Int, _ inputCount: Int) -> PackedMatrix {
        let zeros = AlignedBuffer<Float>(count: outputCount * inputCount)
        return PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(zeros.pointer), type: .f32, outputCount: outputCount,
                inputCount: inputCount), pool: nil)
    }

    private func part(
        _ name: String, weight: Float = 1, _ fill: (inout AdapterOperators) -> Void
    ) -> SelectedOperators {
        var operators = AdapterOperators()
        fill(&operators)
        return SelectedOperators(name: name, operators: operators, weight: weight)
    }

    private func failure(_ parts: [SelectedOperators]) -> String? {
        do throws(CombinationError) {
            _ = try AdapterPlan(parts, slots: base.slots)
            return nil
        } catch { return error.description }
    }

    private func prefix() -> PrefixKeyValues {
        PrefixKeyValues(
            values: Array(repeating: 0.5, count: 2 * 3 * 2 * 32), tokenCount: 2, layerCount: 3,
            shape: base.attentionShape)
    }

    @Test func theBaseAloneTouchesNothing() {
        #expect(AdapterPlan.base(base.slots).isBase)
        #expect(AdapterPlan.base(base.slots).prefixTokenCount == 0)
    }

    @Test func twoPrefixesStandOneBehindTheOther() throws {
        func values(_ tokenCount: Int, seed: Int) -> [Float] {
            let count = tokenCount * 3 * 2 * 32
            return (0..<count).map { index in Float((index * 31 + seed) % 97) }
        }
        func prefix(_ tokenCount: Int, seed: Int) -> PrefixKeyValues {
            PrefixKeyValues(
                values: values(tokenCount, seed: seed), tokenCount: tokenCount, layerCount: 3,
                shape: base.attentionShape)
        }
        let first = prefix(19, seed: 1)
        let second = prefix(7, seed: 2)
        #expect(first.values == values(19, seed: 1))
        let plan = try AdapterPlan(
            [part("a") { $0.prefix = first }, part("b") { $0.prefix = second }],
            slots: base.slots)
        #expect(plan.prefixTokenCount == 26)
        #expect(plan.prefix?.values == first.values + second.values)
    }

    @Test func aPrefixAtAnotherWeightIsRefused() {
        #expect(
            failure([part("a", weight: 0.5) { $0.prefix = prefix() }])
                == "adapter 'a' is a prefix, which has a meaning at weight 1 only; the request asks "
                + "for 0.5: use weight 1")
    }

    @Test func aReplacementAtAnotherWeightIsRefused() {
        let parts = [
            part("a", weight: 2) {
                $0.linear[.layer(0, .query)] = [.replacement(matrix(64, 64), bias: nil)]
            }
        ]
        #expect(
            failure(parts)
                == "adapter 'a' replaces whole weights (modules_to_save), which has a meaning at "
                + "weight 1 only; the request asks for 2.0: use weight 1 or another adapter")
    }

    @Test func twoReplacementsOfOneSlotAreRefused() {
        let parts = ["a", "b"].map { name in
            part(name) { $0.norms[.final] = .gain(Array(repeating: 1, count: 64)) }
        }
        #expect(
            failure(parts)
                == "adapters 'a' and 'b' both replace model.norm, and only one can stand there: drop "
                + "one of them")
    }

    private func bottleneck() -> Bottleneck {
        let width = 4
        return Bottleneck(
            network: Bottleneck.Network(
                down: Array(repeating: 0.25, count: width * 64),
                downBias: Array(repeating: 0.5, count: width),
                function: ActivationFunction("silu")!,
                up: Array(repeating: 0.125, count: 64 * width),
                upBias: Array(repeating: 0, count: 64), scaling: Array(repeating: 2, count: 64)),
            placement: Bottleneck.Placement(
                input: Bottleneck.Mix(output: 1, stream: 0), inner: .nothing,
                outer: Bottleneck.Mix(output: 1, stream: 0)))
    }

    @Test func bottlenecksStandAloneAtTheirPlaceAndWeight() throws {
        let place = SublayerSlot(layer: 1, sublayer: .feedForward)
        let parts = ["a", "b"].map { name in part(name) { $0.bottlenecks[place] = bottleneck() } }
        #expect(
            failure(parts)
                == "adapters 'a' and 'b' both put a bottleneck behind model.layers.1.mlp, and which comes "
                + "first would change the answer: drop one of them")
        #expect(
            failure([part("a", weight: 0.5) { $0.bottlenecks[place] = bottleneck() }])
                == "adapter 'a' is a bottleneck, which is not linear and has a meaning at weight 1 only; "
                + "the request asks for 0.5: use weight 1")
        let other = part("b") {
            $0.bottlenecks[SublayerSlot(layer: 1, sublayer: .attention)] = bottleneck()
        }
        #expect(failure([parts[0], other]) == nil)
        #expect(try !AdapterPlan([parts[0]], slots: base.slots).isBase)
        #expect(!parts[0].operators.isWeightSpace)
    }

    @Test func repeatedLayersStandAlone() throws {
        let repeated = base.repeating([0, 1, 1, 2])
        #expect(repeated.slots.layerCount == 4)
        #expect(repeated.matrix(at: .layer(2, .down)) === base.matrix(at: .layer(1, .down)))
        #expect(repeated.matrix(at: .head) === base.matrix(at: .head))
        #expect(repeated.gain(at: .final) == base.gain(at: .final))
        let parts = [part("a") { $0.repeatedBase = repeated }, part("b") { _ in }]
        #expect(
            failure(parts)
                == "adapters 'a' and 'b' were trained on different sequences of the base's layers "
                + "(layer_replication): use one of them alone")
        let same = part("c") { $0.repeatedBase = base.repeating([0, 1, 1, 2]) }
        #expect(failure([parts[0], same]) == nil)
        let plan = try AdapterPlan([parts[0]], slots: base.slots)
        #expect(plan.layerCount == 4)
        #expect(!plan.isBase)
    }

    @Test func mergingRefusesWhatIsNotFiniteAndNamesThePlace() {
        var operators = AdapterOperators()
        let infinite = AlignedBuffer<Float>(count: 64)
        infinite.pointer[3] = .infinity
        let a = RowMatrix(
            copying: WeightMatrix(
                pointer: UnsafeRawPointer(infinite.pointer), type: .f32, outputCount: 1,
                inputCount: 64))
        let ones = AlignedBuffer<Float>(count: 32)
        for index in 0..<32 { ones.pointer[index] = 1 }
        let b = PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(ones.pointer), type: .f32, outputCount: 32, inputCount: 1),
            pool: nil)
        operators.linear[.layer(1, .key)] = [.lowRank(LowRankOperator(a: a, b: b, scaling: 1))]
        do throws(MergeError) {
            _ = try operators.merged(name: "a", into: base, weight: 1, pool: TinyBase.pool)
            Issue.record("merged")
        } catch {
            #expect(
                error == .notFinite(module: "model.layers.1.self_attn.k_proj", row: 0, column: 3))
            #expect(
                error.description
                    == "merging gives a value that is not finite in 'model.layers.1.self_attn.k_proj' "
                    + "at [0, 3]: nothing was changed; check the adapter's weights")
        }
    }
}
