import Kernels
import Testing

/// Suites that walk the instruction sets. They run one after the other, because the set in use is
/// the whole process's: a neighbour that changed it between two products would change their bits.
/// For the same reason tools/test runs this target's tests apart from all others.
@Suite(.serialized)
enum InstructionSetSuites {}

/// Expects a body's results to have the same bits on every set that this processor has.
func onEverySet(_ body: (InstructionSet) -> [Float]) {
    InstructionSet.use(.portable)
    let portable = body(.portable)
    for set in InstructionSet.runnable {
        InstructionSet.use(set)
        #expect(body(set).map(\.bitPattern) == portable.map(\.bitPattern), "\(set)")
    }
    InstructionSet.use(.strongest)
}
