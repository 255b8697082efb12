/// Neighbouring rows under one plan.
struct PlanRange {
    /// Tells plans apart.
    let identity: ObjectIdentifier
    let views: PlanViews
    /// Logits of each row.
    let vocabularyCount: Int
    var rows: Range<Int>
    /// What the plan's companion left for each row; nil for plans without.
    var states: RowBuffer?
    /// True where the rows are those of one sequence, and what acts on them depends on all of them.
    let isCall: Bool

    /// The state of the first row, and how far those of the next ones are.
    var firstState: (first: UnsafePointer<Float>, stride: Int)? {
        states.map { (UnsafePointer($0.row(rows.lowerBound)), $0.width) }
    }
}

/// The rows of a step: which sequence, position and plan each has. Used again step after step, so
/// that it allocates only when a step is larger than all before.
final class StepRows {
    private(set) var count = 0
    private(set) var tokens: [Int32] = []
    /// Rotary positions, one a row.
    private(set) var positions: [Int32] = []
    /// Plans in row order.
    private(set) var plans: [PlanRange] = []
    /// Rows that get logits, ascending.
    private(set) var logitsRows: [Int] = []
    /// Plans over the indices of `logitsRows`.
    private(set) var logitsPlans: [PlanRange] = []
    private(set) var largestPosition = 0

    /// Takes the rows of a step in place of the last one's.
    ///
    /// - Parameter states: of rows whose plans have companions; nil where none has.
    func prepare(_ slices: [StepSlice], _ states: CompanionPasses.States? = nil) {
        removeAll()
        for slice in slices {
            let first = count
            count += slice.tokens.count
            tokens.append(contentsOf: slice.tokens)
            let position = slice.plan.prefixTokenCount + slice.cachedTokenCount
            for row in 0..<slice.tokens.count { positions.append(Int32(position + row)) }
            largestPosition = max(largestPosition, position + slice.tokens.count - 1)
            Self.extend(&plans, with: slice.plan, to: count, states?.rows)
            for row in first + slice.firstLogitsRow..<count { logitsRows.append(row) }
            Self.extend(&logitsPlans, with: slice.plan, to: logitsRows.count, states?.logitsRows)
        }
    }

    private func removeAll() {
        count = 0
        largestPosition = 0
        tokens.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
        plans.removeAll(keepingCapacity: true)
        logitsRows.removeAll(keepingCapacity: true)
        logitsPlans.removeAll(keepingCapacity: true)
    }

    private static func extend(
        _ ranges: inout [PlanRange], with plan: AdapterPlan, to end: Int, _ states: RowBuffer?
    ) {
        let start = ranges.last?.rows.upperBound ?? 0
        guard end > start else { return }
        let identity = ObjectIdentifier(plan)
        if let last = ranges.last, last.identity == identity, !last.isCall {
            ranges[ranges.count - 1].rows = last.rows.lowerBound..<end
        } else {
            ranges.append(
                PlanRange(
                    identity: identity, views: plan.views, vocabularyCount: plan.vocabularyCount,
                    rows: start..<end, states: plan.companion == nil ? nil : states,
                    isCall: plan.readsWholeCalls))
        }
    }
}
