/// What a small file may make of itself at most: the bounds on memory and time that neither the
/// size of an adapter's files nor `--adapter-memory` gives.
public enum AdapterLimits {
    /// Values that one setting lets a reader draw from a seed: factors of Uni-LoRA, projections of
    /// VeRA, PVeRA, RandLoRA and TinyLoRA.
    public static let drawnValueCount = 1 << 28
    /// `phm_dim` of AdapterHub's Compacter: a rule has its third power of values.
    public static let hypercomplexDimension = 1 << 8
    /// Names in a list, such as `target_modules`.
    public static let nameCount = 1 << 16
    /// Names in a list of which each becomes an expression that modules are matched with:
    /// `modules_to_save`, `layers_pattern`.
    public static let patternNameCount = 1 << 10
    /// Bytes of a configuration that is kept so that an adapter comes back without being parsed.
    package static let keptConfigurationByteCount = 1 << 16
    /// Unknown settings that a warning names; the others are counted.
    public static let namedUnknownSettingCount = 5
    /// Unknown names of `target_modules` that get a warning each; the others are counted.
    public static let namedUnknownTargetCount = 5
    /// Adapters that are read at the same time.
    public static let concurrentReadCount = 4
    /// Requests that overtake one that waits for memory, as long as their own adapters are there
    /// already.
    public static let overtakingRequestCount = 64
}
