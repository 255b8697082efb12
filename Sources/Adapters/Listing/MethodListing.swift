/// The methods of adapting that this build serves.
public enum MethodListing {
    /// Their names in PEFT's spelling, for example `LORA`; sorted.
    public static let peftTypes: [String] = Methods.supported
}
