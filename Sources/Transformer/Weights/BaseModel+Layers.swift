extension BaseModel {
    /// The same base with its layers in another order, some of them several times: the weights are
    /// shared, the slots numbered anew.
    ///
    /// - Parameter order: for each layer, which of this base's it is.
    public func repeating(_ order: [Int]) -> BaseModel {
        var configuration = configuration
        let layers = configuration.layers
        configuration.layers = order.enumerated().map { number, layer in
            layers[layer].numbered(number)
        }
        // What isn't of a layer stands in front, and each layer's together.
        func pick<Value>(_ values: [Value], _ range: (LayerSlots) -> Range<Int>) -> [Value] {
            let front = slots.layers.first.map { range($0).lowerBound } ?? values.count
            return values[..<front] + order.flatMap { values[range(slots.layers[$0])] }
        }
        return BaseModel(
            configuration: configuration, configurationText: configurationText, path: path,
            tokenizer: tokenizer,
            weights: Weights(
                embedding: weights.embedding, linear: pick(weights.linear) { $0.linears },
                biases: pick(weights.biases) { $0.linears },
                gains: pick(weights.gains) { $0.norms },
                normBiases: pick(weights.normBiases) { $0.norms }, positions: weights.positions,
                sinks: weights.sinks.isEmpty ? [] : order.map { weights.sinks[$0] }),
            layerOrder: order, rotaries: steps.rotaries, keyValueType: keyValueType)
    }
}
