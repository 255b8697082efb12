import Foundation
import Kernels

/// Which rows go through which experts.
///
/// Rows are gathered by expert, those of an expert in ascending order, so that they stay together
/// by plan. Used again for layer after layer; it allocates only when a layer has more than all
/// before.
struct ExpertRouting {
    /// Gathered rows of an expert.
    struct Group {
        let expert: Int
        /// In `plans`.
        let plans: Range<Int>
    }

    /// Of the gathered rows.
    private(set) var plans: [PlanRange] = []
    private(set) var groups: [Group] = []
    /// The row that each gathered row is a copy of.
    let sources: AlignedBuffer<Int32>
    /// **Shape**: [rows, topCount], by ascending expert: where a row's copies are gathered.
    let places: AlignedBuffer<Int32>
    /// **Shape**: as `places`; what each copy's outcome is multiplied with.
    let weights: AlignedBuffer<Float>
    private let chosen: AlignedBuffer<Int32>
    /// Where the gathered rows of each expert begin.
    private var starts: [Int] = []

    /// - Parameter copyCount: rows by experts of a row, at most.
    init(copyCount: Int) {
        sources = AlignedBuffer(count: max(1, copyCount))
        places = AlignedBuffer(count: max(1, copyCount))
        weights = AlignedBuffer(count: max(1, copyCount))
        chosen = AlignedBuffer(count: max(1, copyCount))
    }

    /// Chooses the experts of every row and gathers the rows.
    ///
    /// - Parameters:
    ///   - logits: **Shape** [rows, experts].
    ///   - ranges: the plans of the rows.
    mutating func route(
        _ step: ExpertsStep, logits: RowBuffer, _ ranges: [PlanRange], pool: WorkerPool
    ) {
        let rowCount = ranges.last?.rows.upperBound ?? 0
        let (chosen, weights) = (chosen.pointer, weights.pointer)
        pool.forEachRowBlock(of: rowCount) { block in
            for row in block {
                let first = row * step.topCount
                Self.choose(step, logits.row(row), chosen + first, weights + first)
            }
        }
        sort(step, rowCount: rowCount)
        findPlans(step, ranges)
    }

    /// The experts with the largest logits, the first ones of equals, in ascending order, and their
    /// weights.
    static func choose(
        _ step: ExpertsStep, _ logits: UnsafePointer<Float>, _ chosen: UnsafeMutablePointer<Int32>,
        _ weights: UnsafeMutablePointer<Float>
    ) {
        var count = 0
        for expert in 0..<step.count {
            let logit = logits[expert]
            guard count < step.topCount || logit > logits[Int(chosen[count - 1])] else { continue }
            var place = min(count, step.topCount - 1)
            while place > 0, logit > logits[Int(chosen[place - 1])] {
                chosen[place] = chosen[place - 1]
                place -= 1
            }
            chosen[place] = Int32(expert)
            count = min(count + 1, step.topCount)
        }
        let largest = logits[Int(chosen[0])]
        var sum: Float = 0
        if step.normalizesWeights {
            for index in 0..<count { sum += exp(logits[Int(chosen[index])] - largest) }
        } else {
            for expert in 0..<step.count { sum += exp(logits[expert] - largest) }
        }
        sort(chosen, count: count)
        for index in 0..<count { weights[index] = exp(logits[Int(chosen[index])] - largest) / sum }
    }

    /// In ascending order; few.
    private static func sort(_ numbers: UnsafeMutablePointer<Int32>, count: Int) {
        for index in 0..<count {
            let number = numbers[index]
            var place = index
            while place > 0, numbers[place - 1] > number {
                numbers[place] = numbers[place - 1]
                place -= 1
            }
            numbers[place] = number
        }
    }

    /// Where each row's copies are.
    private mutating func sort(_ step: ExpertsStep, rowCount: Int) {
        let copyCount = rowCount * step.topCount
        starts.removeAll(keepingCapacity: true)
        for _ in 0...step.count { starts.append(0) }
        for copy in 0..<copyCount { starts[Int(chosen.pointer[copy]) + 1] += 1 }
        for expert in 0..<step.count { starts[expert + 1] += starts[expert] }
        for copy in 0..<copyCount {
            let expert = Int(chosen.pointer[copy])
            let place = starts[expert]
            starts[expert] += 1
            sources.pointer[place] = Int32(copy / step.topCount)
            places.pointer[copy] = Int32(place)
        }
    }

    /// Cuts the gathered rows of each expert by plan.
    private mutating func findPlans(_ step: ExpertsStep, _ ranges: [PlanRange]) {
        plans.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        var place = 0
        for expert in 0..<step.count {
            // Sorting has moved each start to its end.
            let end = starts[expert]
            let firstPlan = plans.count
            var range = 0
            while place < end {
                while Int(sources.pointer[place]) >= ranges[range].rows.upperBound { range += 1 }
                let first = place
                while place < end, Int(sources.pointer[place]) < ranges[range].rows.upperBound {
                    place += 1
                }
                var plan = ranges[range]
                plan.rows = first..<place
                plans.append(plan)
            }
            guard plans.count > firstPlan else { continue }
            groups.append(Group(expert: expert, plans: firstPlan..<plans.count))
        }
    }

    /// Has plans take their companions' states from gathered ones.
    mutating func takeStates(from states: RowBuffer) {
        for index in plans.indices where plans[index].states != nil { plans[index].states = states }
    }
}
