/// What the next step computes: data only, nothing has happened yet.
package struct StepDecision: Equatable, Sendable {
    /// Rows of one sequence.
    package struct Slice: Equatable, Sendable {
        package var number: Int
        package var selection: SelectionID
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

    /// Selections with rows, once slices stand together.
    var selectionCount: Int {
        slices.indices.count { $0 == 0 || slices[$0].selection != slices[$0 - 1].selection }
    }

    /// Empties it and keeps its memory.
    mutating func removeAll() {
        preempted.removeAll(keepingCapacity: true)
        admitted.removeAll(keepingCapacity: true)
        slices.removeAll(keepingCapacity: true)
    }

    /// Brings slices of one selection together, selections in the order in which they first appear.
    mutating func groupBySelection() {
        var start = 0
        while start < slices.count {
            var end = start + 1
            for place in end..<max(end, slices.count)
            where slices[place].selection == slices[start].selection {
                // Moves the slices between back by one, in their order.
                var gap = place
                let slice = slices[place]
                while gap > end {
                    slices[gap] = slices[gap - 1]
                    gap -= 1
                }
                slices[end] = slice
                end += 1
            }
            start = end
        }
    }
}
