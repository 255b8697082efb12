/// What the next step computes: data only, nothing has happened yet.
package struct StepDecision: Equatable, Sendable {
    /// Rows of one sequence under one selection.
    package struct Slice: Equatable, Sendable {
        package var number: Int
        package var selection: SelectionID
        /// Places of the tokens within the sequence, one row each.
        package var tokens: Range<Int>
        /// The first token whose row gets logits; the range's end for none.
        package var firstLogitsToken: Int
        /// Guessed tokens at the end, which the step verifies.
        package var draftTokenCount = 0
        /// Pages that the sequence holds during the step.
        package var pageCount: Int
        /// Whether the sequence's next tokens are in this step too, under its other selection.
        package var isContinued = false

        /// Tokens whose rows get logits.
        var logitsRowCount: Int { tokens.upperBound - firstLogitsToken }
    }

    /// Sequences that give their pages back before the step; they wait again.
    package var preempted: [Int] = []
    /// Sequences that leave the queue with this step.
    package var admitted: [Int] = []
    /// Slices of one selection stand side by side, and slices of one sequence in token order.
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

    /// Adds a slice of which another selection acts on the tokens before `place`.
    mutating func append(_ slice: Slice, splitAt place: Int, earlier: SelectionID) {
        let end = min(place, slice.tokens.upperBound)
        var first = slice
        first.selection = earlier
        first.tokens = slice.tokens.lowerBound..<end
        first.firstLogitsToken = min(slice.firstLogitsToken, end)
        first.isContinued = end < slice.tokens.upperBound
        slices.append(first)
        guard first.isContinued else { return }
        var second = slice
        second.tokens = end..<slice.tokens.upperBound
        second.firstLogitsToken = max(slice.firstLogitsToken, end)
        slices.append(second)
    }

    /// Brings slices of one selection together, selections in the order in which they first appear;
    /// those that some sequence goes on from come first.
    mutating func groupBySelection() {
        if slices.contains(where: \.isContinued) {
            let first = Set(slices.filter(\.isContinued).map(\.selection))
            slices =
                slices.filter { first.contains($0.selection) }
                + slices.filter { !first.contains($0.selection) }
        }
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
