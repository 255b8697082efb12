/// Neighbouring rows under one plan.
struct PlanRange {
    let plan: AdapterPlan
    var rows: Range<Int>
}

/// The rows of a step: which sequence, position and plan each has.
struct StepRows {
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

    init(_ slices: [StepSlice]) {
        for slice in slices {
            let first = count
            count += slice.tokens.count
            tokens += slice.tokens
            let position = slice.plan.prefixTokenCount + slice.cachedTokenCount
            for row in slice.tokens.indices { positions.append(Int32(position + row)) }
            largestPosition = max(largestPosition, position + slice.tokens.count - 1)
            Self.extend(&plans, with: slice.plan, to: count)
            logitsRows += (first + slice.firstLogitsRow)..<count
            Self.extend(&logitsPlans, with: slice.plan, to: logitsRows.count)
        }
    }

    private static func extend(_ ranges: inout [PlanRange], with plan: AdapterPlan, to end: Int) {
        let start = ranges.last?.rows.upperBound ?? 0
        guard end > start else { return }
        if let last = ranges.last, last.plan === plan {
            ranges[ranges.count - 1].rows = last.rows.lowerBound..<end
        } else {
            ranges.append(PlanRange(plan: plan, rows: start..<end))
        }
    }
}
