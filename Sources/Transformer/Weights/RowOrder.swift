/// Where rows of a matrix in Hugging Face's order stand in a file that has another.
package enum RowOrder: Equatable, Sendable {
    /// Rows of Q or K whose rotary pairs are neighbours.
    ///
    ///     Hugging Face:  head, half (2),       pair (d/2)     pairs are (i, i + d/2)
    ///     stored:        head, pair (d/2),     half (2)       pairs are (2i, 2i + 1)
    case pairs(headCount: Int, headDimension: Int)
    /// Rows of a module that makes queries, keys and values.
    ///
    ///     Hugging Face:  for each head of keys: its queries, its key, its value
    ///     stored:        all queries, all keys, all values
    case blocks(queryHeadCount: Int, keyValueHeadCount: Int, headDimension: Int)

    package var rowCount: Int {
        switch self {
        case .pairs(let headCount, let headDimension): headCount * headDimension
        case .blocks(let queryHeadCount, let keyValueHeadCount, let headDimension):
            (queryHeadCount + 2 * keyValueHeadCount) * headDimension
        }
    }

    /// For each row in Hugging Face's order, the row that holds it.
    package var storedRows: [Int] {
        switch self {
        case .pairs(_, let headDimension):
            let pairCount = headDimension / 2
            return (0..<rowCount).map { row in
                let (head, within) = row.quotientAndRemainder(dividingBy: headDimension)
                let (half, pair) = within.quotientAndRemainder(dividingBy: pairCount)
                return head * headDimension + pair * 2 + half
            }
        case .blocks(let queryHeadCount, let keyValueHeadCount, let headDimension):
            let share = queryHeadCount / keyValueHeadCount
            return (0..<rowCount).map { row in
                let (head, within) = row.quotientAndRemainder(dividingBy: headDimension)
                let (group, part) = head.quotientAndRemainder(dividingBy: share + 2)
                let stored =
                    part < share
                    ? group * share + part
                    : queryHeadCount + (part - share) * keyValueHeadCount + group
                return stored * headDimension + within
            }
        }
    }
}

extension AttentionSpec {
    /// Of the rows of queries, or of keys.
    package func pairOrder(_ headCount: KeyPath<AttentionSpec, Int>) -> RowOrder {
        .pairs(headCount: self[keyPath: headCount], headDimension: headDimension)
    }

    /// Of a module's rows that are groups; nil where they are blocks already, or there is none.
    package var blockOrder: RowOrder? {
        guard projections.fusedOrder == .groups else { return nil }
        return .blocks(
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount,
            headDimension: headDimension)
    }
}
