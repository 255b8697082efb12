import Kernels

/// M x = Σ_e g_e B_e A_e x: low-rank updates of several experts, each row with gates of its own.
///
/// **Source**: Arrow, arXiv 2405.11157; X-LoRA, arXiv 2402.07148.
public final class ExpertMap: RowMap, @unchecked Sendable {
    /// Where a row's gates come from.
    public enum Gates: Sendable {
        /// From what the experts take: the row itself.
        case router(PrototypeRouter)
        /// From the row's state, at this place on.
        case state(from: Int)
    }

    private let experts: [LowRankMap]
    private let gates: Gates
    private let innerCount: Int

    /// - Parameter experts: at least one; scalings are in their factors.
    public init(_ experts: [LowRankMap], gates: Gates) {
        self.experts = experts
        self.gates = gates
        innerCount = experts.reduce(0) { max($0, $1.scratchCount) }
        super.init(inputCount: experts[0].inputCount, outputCount: experts[0].outputCount)
    }

    public override var isLinear: Bool { false }
    private var ownRouter: PrototypeRouter? {
        if case .router(let router) = gates { router } else { nil }
    }

    public override var byteCount: Int {
        experts.reduce(ownRouter?.byteCount ?? 0) { $0 + $1.byteCount }
    }

    public override var productCount: Int {
        let costs = experts.map(\.productCount).sorted(by: >)
        guard let router = ownRouter else { return costs.reduce(0, +) }
        return costs.prefix(router.chosenCount).reduce(experts.count * inputCount, +)
    }

    public override var form: String { "experts" }
    override var scratchCount: Int { (ownRouter == nil ? 0 : 2 * experts.count) + innerCount }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        guard let router = ownRouter else { preconditionFailure("gates of a state without one") }
        router.route(input, to: scratch, scores: scratch + experts.count)
        add(
            input, gates: scratch, scaledBy: scale, to: output,
            scratch: scratch + 2 * experts.count)
    }

    override func add(
        _ input: UnsafePointer<Float>, state: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        switch gates {
        case .router: add(input, scaledBy: scale, to: output, scratch: scratch)
        case .state(let first):
            add(input, gates: state + first, scaledBy: scale, to: output, scratch: scratch)
        }
    }

    private func add(
        _ input: UnsafePointer<Float>, gates: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        for expert in 0..<experts.count where gates[expert] != 0 {
            experts[expert].add(
                input, scaledBy: scale * gates[expert], to: output, scratch: scratch)
        }
    }
}
