import Engine
import LlamaSlots
import Kernels
import Transformer

/// Adapters on `TinyBase` whose gates depend on what they see of a sequence.
enum TinyMixtures {
    /// Experts by states of a pass through the base under operators of its own; then states of a
    /// small model that go through the layers.
    static let companions: [AdapterPlan] = [plan(throughBase), plan(throughModel)]

    /// Experts by the mean over a call.
    static let call: AdapterPlan = plan(byCall)

    private static let hidden = TinyBase.hiddenSize
    private static let slots: [LinearSlot] = [.layer(0, .query), .layer(1, .down), .head]

    private static func plan(_ operators: AdapterOperators) -> AdapterPlan {
        let part = SelectedOperators(name: "mixture", operators: operators, weight: 1)
        do { return try AdapterPlan([part], slots: TinyBase.model.slots) } catch {
            preconditionFailure("no plan: \(error)")
        }
    }

    private static func expert(
        _ slot: LinearSlot, rank: Int, _ random: inout RandomSource
    ) -> LowRankMap {
        let shape = TinyBase.model.slots.shape(of: slot)
        return LowRankMap(
            a: TinyBase.values(rank * shape.inputCount, scale: 0.5, &random),
            transposedB: TinyBase.values(rank * shape.outputCount, scale: 0.5, &random),
            rank: rank)
    }

    private static var throughBase: AdapterOperators {
        var random = RandomSource(seed: 41)
        var operators = AdapterOperators()
        var first = AdapterOperators()
        for (place, slot) in slots.enumerated() {
            let experts = (1...3).map { expert(slot, rank: $0, &random) }
            operators.linear[slot] = [.update(ExpertMap(experts, gates: .state(from: 3 * place)))]
            first.linear[slot] = [.update(expert(slot, rank: 2, &random))]
        }
        let count = 3 * slots.count
        operators.companion = Companion(
            operators: first,
            readout: GateNetwork(
                [
                    GateNetwork.Layer(
                        weight: TinyBase.values(count * hidden, scale: 0.5, &random),
                        bias: TinyBase.values(count, scale: 0.5, &random))
                ],
                finish: GateFinish(
                    expertCount: 3, temperature: 0.5, chosenCount: 2, normalizesChosen: false)))
        return operators
    }

    private static var throughModel: AdapterOperators {
        var random = RandomSource(seed: 42)
        var operators = AdapterOperators()
        operators.companion = Companion(model: model(&random), readout: nil)
        for layer in 0..<2 {
            operators.stateLayers[layer] = StateLayer(
                injection: LowRankMap(
                    a: TinyBase.values(4 * hidden, scale: 0.5, &random),
                    transposedB: TinyBase.values(4 * hidden, scale: 0.5, &random), rank: 4),
                candidate: network(&random), gate: network(&random))
        }
        return operators
    }

    private static func network(_ random: inout RandomSource) -> RowNetwork {
        RowNetwork(
            first: TinyBase.values(4 * hidden, scale: 0.5, &random),
            firstBias: TinyBase.values(4, scale: 0.5, &random),
            second: TinyBase.values(4 * hidden, scale: 0.5, &random),
            secondBias: TinyBase.values(hidden, scale: 0.5, &random))
    }

    /// One layer of another width of heads, over the base's own table.
    private static func model(_ random: inout RandomSource) -> BaseModel {
        let configuration = TinyBase.model.configuration.resized(
            layerCount: 1, hiddenSize: hidden, intermediateSize: 16, queryHeadCount: 2,
            headDimension: 4)
        let embedding = TinyBase.model.weights.embedding
        let slots = SlotTable(configuration)
        let linear = slots.linearSlots.dropLast().map { slot in
            let shape = slots.shape(of: slot)
            return TinyBase.values(
                shape.outputCount * shape.inputCount, scale: 0.5, &random
            ).withUnsafeBytes {
                PackedMatrix(
                    packing: WeightMatrix(
                        pointer: $0.baseAddress!, type: .f32, outputCount: shape.outputCount,
                        inputCount: shape.inputCount), pool: nil)
            }
        }
        return BaseModel.companion(
            of: TinyBase.model, configuration,
            BaseModel.Weights(
                embedding: embedding, linear: [embedding] + linear,
                biases: Array(repeating: nil, count: linear.count + 1),
                gains: Array(repeating: Array(repeating: 1, count: hidden), count: 3)),
            path: "a small model")
    }

    private static var byCall: AdapterOperators {
        var random = RandomSource(seed: 43)
        var operators = AdapterOperators()
        for slot in slots where slot != .head {
            let shape = TinyBase.model.slots.shape(of: slot)
            operators.linear[slot] = [
                .update(
                    CallMap(
                        a: TinyBase.values(3 * shape.inputCount, scale: 0.5, &random),
                        transposedB: TinyBase.values(
                            4 * 3 * shape.outputCount, scale: 0.5, &random),
                        router: TinyBase.values(4 * 3, scale: 2, &random), rank: 3))
            ]
        }
        return operators
    }
}
