/// What one more row costs a step, learned from the last steps.
///
/// A straight line through (rows, seconds) of about the last 50 steps, older ones counting less.
/// While rows hardly vary its slope is drawn to that of a processor which reads weights in the time
/// of computing 16 rows.
package struct StepCost {
    private static let memory = 0.98
    /// Rows' variance that weighs as much as what slope was assumed.
    private static let assumedVariance = 1.0

    private var weight = 0.0
    private var rows = 0.0
    private var seconds = 0.0
    private var squaredRows = 0.0
    private var rowSeconds = 0.0
    private var tokens = 0.0

    package init() {}

    /// Notes a step in which all sequences generated.
    package mutating func note(rowCount: Int, tokenCount: Int, seconds: Double) {
        func add(_ value: Double, to sum: inout Double) { sum = sum * Self.memory + value }
        let count = Double(rowCount)
        add(1, to: &weight)
        add(count, to: &rows)
        add(seconds, to: &self.seconds)
        add(count * count, to: &squaredRows)
        add(count * seconds, to: &rowSeconds)
        add(Double(tokenCount), to: &tokens)
    }

    /// False until a step has been noted.
    package var isKnown: Bool { weight > 0 }

    /// Seconds that a row adds.
    private var rowSecondsMore: Double {
        let (meanRows, meanSeconds) = (rows / weight, seconds / weight)
        let variance = squaredRows / weight - meanRows * meanRows
        let covariance = rowSeconds / weight - meanRows * meanSeconds
        let assumed = meanSeconds / (16 + meanRows) * Self.assumedVariance
        return max(0, (covariance + assumed) / (variance + Self.assumedVariance))
    }

    /// The chance of being right from which on a row makes tokens faster than steps do anyway.
    package var leastAcceptanceRate: Double {
        guard seconds > 0 else { return 0 }
        return 1.2 * rowSecondsMore * tokens / seconds
    }

    /// Rows that lengthen a step of `rowCount` rows by a share.
    package func rowCount(lengthening rowCount: Int, by share: Double) -> Int {
        let slope = rowSecondsMore
        guard slope > 0 else { return .max }
        let stepSeconds = max(0, seconds / weight + slope * (Double(rowCount) - rows / weight))
        return Int(min(share * stepSeconds / slope, 1e6))
    }
}
