/// Why an adapter's effect is no change of weights.
public enum MergeObstacle: Sendable, CaseIterable {
    case activation, bottleneck, repeatedLayers, prefix, gatedPrefix, softPrompt, dependsOnRows

    /// What it does instead, as a clause.
    public var reason: String {
        switch self {
        case .activation:
            "it acts from its invocation tokens on only, while merged weights would act on every token"
        case .bottleneck:
            "it is a bottleneck, whose activation function no change of weights can stand for"
        case .repeatedLayers:
            "it repeats layers, whose copies have the same weights and not the same changes"
        case .prefix: "it puts keys and values in front of every sequence"
        case .gatedPrefix: "it adds a second attention, to trained tokens, behind a gate"
        case .softPrompt: "it puts a prompt of trained tokens in front of every sequence"
        case .dependsOnRows:
            "what it does to a token depends on the token, while merged weights would be the same for "
                + "all"
        }
    }
}

extension AdapterOperators {
    /// What keeps the adapter from being merged; nil where its whole effect is a change of weights.
    public var mergeObstacle: MergeObstacle? {
        if activation != nil { return .activation }
        if !bottlenecks.isEmpty { return .bottleneck }
        if repeatedBase != nil { return .repeatedLayers }
        if prefix != nil { return .prefix }
        if !gatedPrefixes.isEmpty { return .gatedPrefix }
        if embedding.contains(where: { if case .softPrompt = $0 { true } else { false } }) {
            return .softPrompt
        }
        return dependsOnRows ? .dependsOnRows : nil
    }

    /// True when the whole effect is a change of weights, so that it can be merged.
    public var isWeightSpace: Bool { mergeObstacle == nil }

    /// - Throws: `MergeError.notWeightSpace`.
    public func checkIsWeightSpace(_ name: String) throws(MergeError) {
        if let mergeObstacle { throw .notWeightSpace(adapter: name, mergeObstacle) }
    }
}
