internal import CKernels

/// The instruction set that the kernels use: the strongest that the processor has, or the weaker one
/// that the environment variable `GRAFT_CPU` names.
public enum InstructionSet: String, CaseIterable, Sendable {
    case portable, avx2, avx512, avx512vnni, avx512bf16

    /// The one in use.
    public static var current: InstructionSet { of(gk_current_level()) }

    /// The strongest that can be used.
    public static var strongest: InstructionSet { of(gk_supported_level()) }

    /// Uses this one, or the strongest supported below it; for tests that walk all of them.
    ///
    /// Not for use while products run.
    @discardableResult
    public static func use(_ set: InstructionSet) -> InstructionSet {
        let level = gk_level(UInt32(allCases.firstIndex(of: set) ?? 0))
        return of(gk_set_level(level))
    }

    private static func of(_ level: gk_level) -> InstructionSet {
        allCases[Int(level.rawValue)]
    }
}
