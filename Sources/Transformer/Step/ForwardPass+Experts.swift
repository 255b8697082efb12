import Foundation
import Kernels

extension ForwardPass {
    /// projected = the part that all rows go through, and each row's experts
    ///
    /// - Parameter next: the slots of the stage that follows.
    func runExperts(
        _ experts: ExpertsStep, _ rows: ExpertRows, _ step: LayerStep, from input: RowBuffer,
        next: Range<Int>
    ) {
        let (plans, rowCount) = (activePlans, activeRowCount)
        let logits = rows.logits.cut(to: experts.count)
        linear.begin(input: input, next: step.slots.feedForward)
        linear.add(slot: experts.slots.router, to: logits)
        if let gate = experts.slots.sharedGate { linear.add(slot: gate, to: rows.sharedGates) }
        linear.run(plans)
        rows.routing.route(experts, logits: logits, plans, pool: pool)
        rows.gather(input)
        addShared(experts, rows, step, from: input, rowCount: rowCount)
        runGathered(experts, rows, next: next)
        rows.scatter(to: buffers.projected, rowCount: rowCount, topCount: experts.topCount)
    }

    /// projected = σ(gate) · the part that all rows go through, or 0 without one
    private func addShared(
        _ experts: ExpertsStep, _ rows: ExpertRows, _ step: LayerStep, from input: RowBuffer,
        rowCount: Int
    ) {
        let projected = buffers.projected
        guard step.inputs != nil else {
            return projected.pointer.update(repeating: 0, count: rowCount * projected.width)
        }
        feedForward(step, from: input, next: 0..<0)
        guard experts.slots.sharedGate != nil else { return }
        for row in 0..<rowCount {
            let share = 1 / (1 + exp(-rows.sharedGates.pointer[row]))
            Vectors.scale(projected.row(row), by: share, count: projected.width)
        }
    }

    /// Takes the gathered rows through their experts: all of them in two stages.
    private func runGathered(_ experts: ExpertsStep, _ rows: ExpertRows, next: Range<Int>) {
        let copyCount = rows.routing.plans.last?.rows.upperBound ?? 0
        let (gate, up) = (rows.gate.cut(to: experts.width), rows.up.cut(to: experts.width))
        let fused = rows.fused.cut(to: 2 * experts.width)
        linear.begin(input: rows.gathered, next: 0..<0)
        for group in rows.routing.groups {
            let first = experts.slots.inputs(of: group.expert)
            switch experts.inputs {
            case .gated:
                linear.add(slot: first, to: gate, plans: group.plans)
                linear.add(slot: first + 1, to: up, plans: group.plans)
            case .fusedGated, .interleavedGated:
                linear.add(slot: first, to: fused, plans: group.plans)
            case .plain: linear.add(slot: first, to: gate, plans: group.plans)
            }
        }
        linear.run(rows.routing.plans)
        switch experts.inputs {
        case .fusedGated:
            cut(fused, from: 0, to: gate, rowCount: copyCount)
            cut(fused, from: gate.width, to: up, rowCount: copyCount)
        case .interleavedGated: splitTurns(fused, rowCount: copyCount, into: gate, up)
        case .gated, .plain: break
        }
        gating.run(
            experts.gating, gate: gate, up: experts.inputs == .plain ? nil : up,
            rowCount: copyCount, pool: pool)
        linear.begin(input: gate, next: next)
        for group in rows.routing.groups {
            linear.add(
                slot: experts.slots.down(of: group.expert), to: rows.gathered, plans: group.plans)
        }
        linear.run(rows.routing.plans)
    }
}
