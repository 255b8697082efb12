/// Why an adapter's effect is no change of weights.
public enum MergeObstacle: String, Sendable {
    case activation = "it acts from its invocation tokens on"
    case prefix = "keys and values in front of the sequence are no weights"
    case softPrompt = "tokens in front of the sequence are no weights"
    case gatedPrefix = "keys and values beside the sequence are no weights"
    case bottleneck = "a bottleneck's activation function is no weight"
    case repeatedLayers = "repeated layers have the same weights and not the same changes"
    case dependsOnRows = "what it does to a token depends on the token"
}

extension AdapterOperators {
    /// What keeps the adapter from being merged; nil where nothing does.
    public var mergeObstacle: MergeObstacle? {
        if isWeightSpace { return nil }
        if activation != nil { return .activation }
        if prefix != nil { return .prefix }
        if !gatedPrefixes.isEmpty { return .gatedPrefix }
        if !bottlenecks.isEmpty { return .bottleneck }
        if repeatedBase != nil { return .repeatedLayers }
        return dependsOnRows ? .dependsOnRows : .softPrompt
    }
}
