/// One adapter that a request names, with its weight.
public struct SelectionEntry: Sendable, Hashable {
    /// Weights beyond ±`weightLimit` are refused as mistakes.
    public static let weightLimit: Float = 1000

    public let name: String
    /// Multiplies the adapter's delta; 1 is the adapter as trained.
    public let weight: Float

    public init(name: String, weight: Float = 1) {
        self.name = name
        self.weight = weight
    }
}
