internal import ArgumentParser

/// `name` or `name=weight`: an adapter's part in a mix.
struct WeightedName: ExpressibleByArgument {
    let name: String
    let weight: Float

    /// Nil, which the parser answers with a sentence, when the weight is not a number.
    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty else { return nil }
        name = String(first)
        guard parts.count == 2 else {
            weight = 1
            return
        }
        guard let value = Float(parts[1]), value.isFinite else { return nil }
        weight = value
    }
}
