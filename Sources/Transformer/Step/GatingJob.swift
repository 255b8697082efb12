import Kernels

/// gate = silu(gate) ⊙ up for the rows of a step, shared out among the workers.
///
/// An object, so that a step allocates nothing.
final class GatingJob: WorkerJob {
    /// Elements of a task: some microseconds.
    private static let taskElementCount = 3072

    private var gate: UnsafeMutablePointer<Float>?
    private var up: UnsafeMutablePointer<Float>?
    private var elementCount = 0
    private var gating = ExpertsSpec.Gating.activation(.silu)

    /// - Parameters:
    ///   - gate: rows side by side, like `up`.
    ///   - up: nil: the activation alone.
    func run(
        _ gating: ExpertsSpec.Gating, gate: RowBuffer, up: RowBuffer?, rowCount: Int,
        pool: WorkerPool
    ) {
        self.gating = gating
        self.gate = gate.pointer
        self.up = up?.pointer
        elementCount = rowCount * gate.width
        let taskCount = (elementCount + Self.taskElementCount - 1) / Self.taskElementCount
        pool.run(taskCount: taskCount, self)
    }

    override func perform(task: Int, worker: Int) {
        guard let gate else { return }
        let first = task * Self.taskElementCount
        let count = min(Self.taskElementCount, elementCount - first)
        switch gating {
        case .activation(let activation):
            Vectors.activate(
                activation, gate + first, times: up.map { UnsafePointer($0 + first) }, count: count)
        case .clamped(let limit):
            guard let up else { return }
            for index in first..<first + count {
                gate[index] = min(gate[index], limit)
                up[index] = max(-limit, min(up[index], limit)) + 1
            }
            Vectors.activate(.quickGELU, gate + first, times: up + first, count: count)
        }
    }
}
