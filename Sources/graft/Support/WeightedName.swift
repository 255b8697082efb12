internal import ArgumentParser

/// `name` or `name=weight`: an adapter's part in a mix.
struct WeightedName: ExpressibleByArgument {
    let name: String
    /// As written, for arithmetic that isn't f32 from the start.
    let value: Double

    var weight: Float { Float(value) }

    /// Nil, which the parser answers with a sentence, when the weight is not a number.
    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty else { return nil }
        name = String(first)
        guard parts.count == 2 else {
            value = 1
            return
        }
        guard let value = Double(parts[1]), Float(value).isFinite else { return nil }
        self.value = value
    }
}
