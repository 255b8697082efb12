extension BaseModel {
    /// The same base with its layers in another order, some of them several times: the weights are
    /// shared, the slots numbered anew.
    ///
    /// - Parameter order: for each layer, which of this base's it is.
    public func repeating(_ order: [Int]) -> BaseModel {
        let roleCount = LinearRole.allCases.count
        let normCount = NormRole.allCases.count
        let layerCount = configuration.layerCount
        func pick<Value>(_ values: [Value], _ count: Int) -> [Value] {
            var picked: [Value] = []
            for layer in order { picked += values[layer * count..<(layer + 1) * count] }
            return picked + values[(layerCount * count)...]
        }
        var configuration = configuration
        configuration.layerCount = order.count
        return BaseModel(
            configuration: configuration, configurationText: configurationText, path: path,
            tokenizer: tokenizer,
            weights: Weights(
                embedding: weights.embedding, linear: pick(weights.linear, roleCount),
                biases: pick(weights.biases, roleCount), gains: pick(weights.gains, normCount)),
            layerOrder: order, keyValueType: keyValueType)
    }
}
