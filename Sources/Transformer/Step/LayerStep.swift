import Foundation
import Kernels

/// A norm as the forward pass sees it.
struct NormStep: Sendable {
    /// By `SlotTable.index(of: NormSlot)`.
    let slot: Int
    let isLayerNorm: Bool
    let epsilon: Float
    let width: Int

    init(_ spec: NormSpec, slot: Int) {
        self.slot = slot
        isLayerNorm = spec.kind == .layer
        epsilon = spec.epsilon
        width = spec.width
    }
}

/// What the forward pass does in a layer, as plain values: a step touches no reference count.
struct LayerStep: Sendable {
    let slots: LayerSlots
    let attentionNorm, queryNorm, keyNorm, attentionOutputNorm: NormStep?
    let feedForwardNorm, feedForwardOutputNorm: NormStep?
    /// How the outputs of one module for queries, keys and values lie; nil where there are three.
    let fusedOrder: QueryKeyValueSpec.FusedOrder?
    /// Which of the base's rotary embeddings turns the heads; nil: none.
    let rotary: Int?
    let rule: AttentionRule
    let activation: Activation
    /// Nil where no part of the feed-forward takes all rows.
    let inputs: Inputs?
    /// Inputs of `down`.
    let width: Int
    let experts: ExpertsStep?
    let isParallel: Bool
    let residualScale: Float

    /// What a feed-forward part begins with.
    enum Inputs: Sendable {
        case gated, fusedGated, interleavedGated, plain

        init(_ inputs: FeedForwardInputs) {
            switch inputs {
            case .gated: self = .gated
            case .fusedGated: self = .fusedGated
            case .interleavedGated: self = .interleavedGated
            case .plain: self = .plain
            }
        }
    }

    /// - Parameters:
    ///   - rotaries: of the base.
    ///   - rule: of the layer's attention; its pointers must stay valid.
    init(_ spec: LayerSpec, _ slots: LayerSlots, rotaries: [RotarySpec], rule: AttentionRule) {
        func norm(_ spec: NormSpec?, _ slot: Int?) -> NormStep? {
            guard let spec, let slot else { return nil }
            return NormStep(spec, slot: slot)
        }
        self.slots = slots
        attentionNorm = norm(spec.attentionNorm, slots.attentionNorm)
        queryNorm = norm(spec.attention.queryNorm, slots.queryNorm)
        keyNorm = norm(spec.attention.keyNorm, slots.keyNorm)
        attentionOutputNorm = norm(spec.attentionOutputNorm, slots.attentionOutputNorm)
        feedForwardNorm = norm(spec.feedForwardNorm, slots.feedForwardNorm)
        feedForwardOutputNorm = norm(spec.feedForwardOutputNorm, slots.feedForwardOutputNorm)
        fusedOrder = spec.attention.projections.fusedOrder
        rotary = spec.attention.rotary.flatMap { rotaries.firstIndex(of: $0) }
        self.rule = rule
        activation = spec.feedForward.activation
        inputs = spec.feedForward.inputs.map(Inputs.init)
        width = spec.feedForward.width
        experts = spec.feedForward.experts.flatMap { experts in
            slots.experts.map { ExpertsStep(experts, $0) }
        }
        isParallel = spec.isParallel
        residualScale = spec.residualScale
    }
}

/// The layers of a base as the forward pass sees them, with what their pointers point to.
struct LayerSteps: Sendable {
    let layers: [LayerStep]
    /// The different rotary embeddings of the layers.
    let rotaries: [RotarySpec]
    let finalNorm: NormStep
    let embeddingNorm: NormStep?
    /// ALiBi's slopes, one a query head.
    private let slopes: AlignedBuffer<Float>?
    private let sinks: [AlignedBuffer<Float>?]

    /// - Parameters:
    ///   - sinks: by layer; empty where no layer has any.
    ///   - rotaries: nil: as the layers have them.
    init(
        _ spec: DecoderSpec, _ slots: SlotTable, sinks: [[Float]?], rotaries: [RotarySpec]? = nil
    ) {
        var own = rotaries ?? []
        for case let rotary? in spec.layers.map(\.attention.rotary) where !own.contains(rotary) {
            own.append(rotary)
        }
        self.rotaries = own
        let slopes = spec.layers[0].attention.slopeScale.map { scale in
            AlignedBuffer(
                copying: Self.slopes(headCount: spec.queryHeadCount).map { $0 * scale })
        }
        let sinkBuffers = sinks.map { $0.map { AlignedBuffer(copying: $0) } }
        self.slopes = slopes
        self.sinks = sinkBuffers
        layers = zip(spec.layers, slots.layers).enumerated().map { index, pair in
            let attention = pair.0.attention
            let rule = AttentionRule(
                window: attention.window ?? 0, softCap: attention.softCap ?? 0,
                slopes: attention.slopeScale != nil
                    ? slopes.map { UnsafePointer($0.pointer) } : nil,
                sinks: index < sinkBuffers.count
                    ? sinkBuffers[index].map { UnsafePointer($0.pointer) } : nil)
            return LayerStep(pair.0, pair.1, rotaries: own, rule: rule)
        }
        finalNorm = NormStep(spec.finalNorm, slot: NormSlot.final.index)
        embeddingNorm = spec.embedding.norm.map { NormStep($0, slot: NormSlot.final.index + 1) }
    }

    /// The geometric series of ALiBi; for other head counts than powers of two, that of the next
    /// smaller one and then every other of the next larger one.
    ///
    /// **Source**: arXiv 2108.12409, section 3.
    static func slopes(headCount: Int) -> [Float] {
        var power = 1
        while power * 2 <= headCount { power *= 2 }
        func series(_ count: Int) -> [Float] {
            (1...count).map { Float(exp2(-8 * Double($0) / Double(count))) }
        }
        let further = series(2 * power).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        return series(power) + further.prefix(headCount - power)
    }
}
