import Kernels

/// A list of plain values in memory of its own, freed with its owner.
struct ViewList<Element: BitwiseCopyable>: BitwiseCopyable {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        pointer = .allocate(capacity: max(1, elements.count))
        count = elements.count
        for (index, element) in elements.enumerated() {
            (pointer + index).initialize(to: element)
        }
    }

    subscript(index: Int) -> Element { pointer[index] }

    func deallocate() { pointer.deallocate() }
}

/// A low-rank operator as products see it.
struct LowRankView: BitwiseCopyable {
    let a: RowView
    let b: PackedView
    let scaling: Float

    init(_ lowRank: LowRankOperator) {
        a = lowRank.a.view
        b = lowRank.b.view
        scaling = lowRank.scaling
    }

    var rank: Int { a.outputCount }
}

/// What stands at a linear slot, for the base or a plan.
struct LinearView: BitwiseCopyable {
    /// In place of the base's matrix; the base's own in the base's views.
    var matrix: PackedView?
    /// The bias that goes with `matrix`.
    var matrixBias: UnsafePointer<Float>?
    /// Added after the bias of the matrix.
    var bias: UnsafePointer<Float>?
    /// Low-rank operators, in order; the first ones of each plan run together.
    var lowRanks: UnsafePointer<LowRankView>?
    var lowRankCount = 0

    /// True where two views stand for the same matrix, so that their rows share one product.
    func hasMatrix(of other: LinearView) -> Bool {
        matrix?.identity == other.matrix?.identity
    }
}

/// What a plan (or the base) does at each slot, as plain values: a step reads these and touches no
/// reference count. Owned by an `AdapterPlan` or a `BaseModel`, and valid as long as that.
struct PlanViews: BitwiseCopyable, @unchecked Sendable {
    /// By `SlotTable.index(of: LinearSlot)`.
    let linear: ViewList<LinearView>
    /// By `SlotTable.index(of: NormSlot)`; nil where the base's gain stands.
    let gains: ViewList<UnsafePointer<Float>?>
    private let lowRanks: ViewList<LowRankView>
    private let values: ViewList<Float>

    /// - Parameter linear: by slot; nil where the base acts alone.
    init(linear: [AdapterPlan.Linear?], gains: [[Float]?]) {
        lowRanks = ViewList(
            linear.flatMap { entry in
                (entry?.lowRanks ?? []).filter { $0.rank > 0 && $0.scaling != 0 }.map(
                    LowRankView.init)
            })
        values = ViewList(
            linear.flatMap { ($0?.replacementBias ?? []) + ($0?.bias ?? []) }
                + gains.flatMap { $0 ?? [] })
        var lowRank = lowRanks.pointer
        var value = values.pointer
        func take(_ floats: [Float]?) -> UnsafePointer<Float>? {
            guard let floats else { return nil }
            defer { value += floats.count }
            return UnsafePointer(value)
        }
        self.linear = ViewList(
            linear.map { entry in
                var view = LinearView()
                guard let entry else { return view }
                view.matrix = entry.replacement?.view
                view.matrixBias = take(entry.replacementBias)
                view.bias = take(entry.bias)
                view.lowRanks = UnsafePointer(lowRank)
                view.lowRankCount = entry.lowRanks.filter { $0.rank > 0 && $0.scaling != 0 }.count
                lowRank += view.lowRankCount
                return view
            })
        self.gains = ViewList(gains.map(take))
    }

    func deallocate() {
        linear.deallocate()
        gains.deallocate()
        lowRanks.deallocate()
        values.deallocate()
    }
}
