/// A method of adapting, as this build knows it.
public struct MethodListing: Sendable, Equatable {
    /// PEFT's spelling, for example `LORA`.
    public let peftType: String
    /// Why adapters of it can't be served; nil where they are.
    public let refusal: String?

    public var isSupported: Bool { refusal == nil }

    /// Every method that has a name here, sorted.
    public static let all: [MethodListing] =
        (Methods.supported.map { MethodListing(peftType: $0, refusal: nil) }
        + Methods.unsupported.map {
            MethodListing(peftType: $0, refusal: "no reader of it in this version")
        }).sorted { $0.peftType < $1.peftType }
}
