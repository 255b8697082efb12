import Testing

/// Suites that walk the instruction sets. They run one after the other, because the set in use is
/// the whole process's: a neighbour that changed it between two products would change their bits.
/// For the same reason tools/test runs this target's tests apart from all others.
@Suite(.serialized)
enum InstructionSetSuites {}
