internal import CKernels

/// The instruction set that the kernels use: the strongest that the processor has, or the weaker
/// one that the environment variable `GRAFT_CPU` names.
///
/// The cases are those of all architectures, each architecture's weakest first.
public enum InstructionSet: String, CaseIterable, Sendable {
    case portable
    case avx2, avx512, avx512vnni, avx512bf16
    case neon, neondot

    /// The one in use.
    public static var current: InstructionSet { of(gk_current_level()) }

    /// The strongest that can be used.
    public static var strongest: InstructionSet { of(gk_supported_level()) }

    /// All that this processor can use, and `GRAFT_CPU` allows; the weakest first.
    public static var runnable: [InstructionSet] {
        allCases.filter { gk_level_is_supported($0.level) != 0 }
    }

    /// Uses this one, or the strongest supported below it; for tests that walk all of them.
    ///
    /// Not for use while products run.
    @discardableResult
    public static func use(_ set: InstructionSet) -> InstructionSet {
        of(gk_set_level(set.level))
    }

    /// What is wrong with a value of `GRAFT_CPU`, in one sentence: it is not the name of an
    /// instruction set, or the processor doesn't have it.
    ///
    /// - Parameter inUse: the one that the kernels use with that value.
    /// - Returns: nil for a value that is followed, and for none.
    public static func complaint(aboutChoice name: String?, inUse: InstructionSet) -> String? {
        guard let name, !name.isEmpty, name != inUse.rawValue else { return nil }
        guard InstructionSet(rawValue: name) == nil else {
            return "GRAFT_CPU is '\(name)', which this processor does not have; "
                + "\(inUse.rawValue) is used"
        }
        let names = allCases.map(\.rawValue).joined(separator: ", ")
        return "GRAFT_CPU is '\(name)', expected one of \(names); \(inUse.rawValue) is used"
    }

    private var level: gk_level {
        gk_level(UInt32(Self.allCases.firstIndex(of: self) ?? 0))
    }

    private static func of(_ level: gk_level) -> InstructionSet {
        allCases[Int(level.rawValue)]
    }
}
