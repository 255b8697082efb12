/// A method of adapting that this build serves.
public struct MethodListing: Sendable, Equatable {
    /// PEFT's spelling, for example `LORA`.
    public let peftType: String

    /// Every method, sorted.
    public static let all = Methods.supported.map(MethodListing.init)
}
