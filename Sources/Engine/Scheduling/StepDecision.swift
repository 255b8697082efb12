/// What the next step computes: data only, nothing has happened yet.
package struct StepDecision: Equatable, Sendable {
    /// Rows of one sequence.
    package struct Slice: Equatable, Sendable {
        package var number: Int
        /// Places of the tokens within the sequence, one row each.
        package var tokens: Range<Int>
        /// The first token whose row gets logits; the range's end for none.
        package var firstLogitsToken: Int
        /// Pages that the sequence holds during the step.
        package var pageCount: Int
    }

    /// Sequences that give their pages back before the step; they wait again.
    package var preempted: [Int] = []
    /// Sequences that leave the queue with this step.
    package var admitted: [Int] = []
    /// Slices of one selection stand side by side.
    package var slices: [Slice] = []

    package var rowCount: Int { slices.reduce(0) { $0 + $1.tokens.count } }
}
