import Testing

/// Suites that walk the instruction sets. They run one after the other, because the set in use is
/// the whole process's: a neighbour that changed it between two products would change their bits.
@Suite(.serialized)
enum InstructionSetSuites {}
