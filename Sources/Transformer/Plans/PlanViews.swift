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

/// A low-rank operator as products see it; or a whole matrix, which has no A.
struct LowRankView: BitwiseCopyable {
    let a: RowView?
    let b: PackedView
    let scaling: Float
    /// Factors of the features between A and B, and of the outputs.
    let factors: (inner: UnsafePointer<Float>, outer: UnsafePointer<Float>)?

    init(_ lowRank: LowRankOperator) {
        a = lowRank.a.view
        b = lowRank.b.view
        scaling = lowRank.scaling
        factors = lowRank.factors.map {
            (UnsafePointer($0.inner.pointer), UnsafePointer($0.outer.pointer))
        }
    }

    init(_ matrix: PackedMatrix, weight: Float) {
        a = nil
        b = matrix.view
        scaling = weight
        factors = nil
    }

    /// Values between A and B.
    var rank: Int { b.inputCount }
}

/// A map of rows as a step sees it.
struct RowMapView: BitwiseCopyable {
    let place: AdapterPlan.PlacedMap.Place
    let map: Unmanaged<RowMap>
    let scale: Float

    init(_ placed: AdapterPlan.PlacedMap) {
        place = placed.place
        map = Unmanaged.passUnretained(placed.map)
        scale = placed.weight
    }
}

/// A gated prefix as a step sees it.
struct GateView: BitwiseCopyable {
    let prefix: Unmanaged<GatedPrefix>
    let weight: Float

    init(_ gate: AdapterPlan.Gate) {
        prefix = Unmanaged.passUnretained(gate.prefix)
        weight = gate.weight
    }
}

/// The gated prefixes of a layer.
struct GateList: BitwiseCopyable {
    let first: UnsafePointer<GateView>
    let count: Int
}

/// What stands at a linear slot, for the base or a plan.
struct LinearView: BitwiseCopyable {
    /// In place of the base's matrix; the base's own in the base's views.
    var matrix: PackedView?
    /// The bias that goes with `matrix`.
    var matrixBias: UnsafePointer<Float>?
    /// Outputs behind those of the base's matrix.
    var extraOutputs: PackedView?
    /// Added after the bias of the matrix.
    var bias: UnsafePointer<Float>?
    /// Low-rank operators, in order; the first ones of each plan run together.
    var lowRanks: UnsafePointer<LowRankView>?
    var lowRankCount = 0
    /// Maps of rows, in order.
    var maps: UnsafePointer<RowMapView>?
    var mapCount = 0

    /// Outputs of `matrix`; 0 without one.
    var outputCount: Int { matrix?.outputCount ?? 0 }

    /// True where a map of this place attaches.
    func hasMap(at place: AdapterPlan.PlacedMap.Place) -> Bool {
        for index in 0..<mapCount where maps![index].place == place { return true }
        return false
    }

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
    /// By `SlotTable.index(of: NormSlot)`; nil where the norm's own stands, or has none.
    let normBiases: ViewList<UnsafePointer<Float>?>
    /// By layer; empty where no layer has any.
    let gates: ViewList<GateList>
    /// By layer; empty where no layer has any.
    let stateLayers: ViewList<Unmanaged<StateLayer>?>
    /// By `SlotTable.index(of: SublayerSlot)`; empty where there are none.
    private let bottlenecks: ViewList<Unmanaged<Bottleneck>?>
    private let gateViews: ViewList<GateView>
    private let lowRanks: ViewList<LowRankView>
    private let maps: ViewList<RowMapView>
    private let values: ViewList<Float>

    /// - Parameters:
    ///   - linear: by slot; nil where the base acts alone.
    ///   - gains: as they act.
    init(
        linear: [AdapterPlan.Linear?], gains: [[Float]?], normBiases: [[Float]?],
        gates: [Int: [AdapterPlan.Gate]] = [:],
        bottlenecks: [Bottleneck?] = [], stateLayers: [Int: StateLayer] = [:], layerCount: Int = 0
    ) {
        self.bottlenecks = ViewList(bottlenecks.map { $0.map(Unmanaged.passUnretained) })
        self.stateLayers = ViewList(
            stateLayers.isEmpty
                ? []
                : (0..<layerCount).map { stateLayers[$0].map { Unmanaged.passUnretained($0) } })
        gateViews = ViewList(
            (0..<layerCount).flatMap { layer in (gates[layer] ?? []).map(GateView.init) })
        var gate = gateViews.pointer
        self.gates = ViewList(
            gates.isEmpty
                ? []
                : (0..<layerCount).map { layer in
                    let count = gates[layer]?.count ?? 0
                    defer { gate += count }
                    return GateList(first: UnsafePointer(gate), count: count)
                })
        let products = linear.map { $0?.products ?? [] }
        lowRanks = ViewList(products.flatMap { $0 })
        maps = ViewList(linear.flatMap { ($0?.activeMaps ?? []).map(RowMapView.init) })
        var floats: [Float] = []
        for entry in linear { floats += (entry?.replacementBias ?? []) + (entry?.bias ?? []) }
        for vector in gains + normBiases { floats += vector ?? [] }
        values = ViewList(floats)
        var lowRank = lowRanks.pointer
        var map = maps.pointer
        var value = values.pointer
        func take(_ floats: [Float]?) -> UnsafePointer<Float>? {
            guard let floats else { return nil }
            defer { value += floats.count }
            return UnsafePointer(value)
        }
        self.linear = ViewList(
            zip(linear, products).map { entry, products in
                var view = LinearView()
                guard let entry else { return view }
                view.matrix = entry.replacement?.view
                view.extraOutputs = entry.extraOutputs?.view
                view.matrixBias = take(entry.replacementBias)
                view.bias = take(entry.bias)
                view.lowRanks = UnsafePointer(lowRank)
                view.lowRankCount = products.count
                lowRank += products.count
                view.maps = UnsafePointer(map)
                view.mapCount = entry.activeMaps.count
                map += view.mapCount
                return view
            })
        self.gains = ViewList(gains.map(take))
        self.normBiases = ViewList(normBiases.map(take))
    }

    /// What acts at a sublayer, by `SlotTable.index(of: SublayerSlot)`.
    func bottleneck(_ index: Int) -> Unmanaged<Bottleneck>? {
        bottlenecks.count > 0 ? bottlenecks[index] : nil
    }

    func deallocate() {
        bottlenecks.deallocate()
        linear.deallocate()
        gains.deallocate()
        normBiases.deallocate()
        gates.deallocate()
        stateLayers.deallocate()
        gateViews.deallocate()
        lowRanks.deallocate()
        maps.deallocate()
        values.deallocate()
    }
}

extension AdapterPlan.Linear {
    /// Low-rank operators, then whole matrices, without those that come to nothing.
    fileprivate var products: [LowRankView] {
        lowRanks.filter { $0.rank > 0 && $0.scaling != 0 }.map(LowRankView.init)
            + dense.filter { $0.weight != 0 }.map { LowRankView($0.matrix, weight: $0.weight) }
    }

    fileprivate var activeMaps: [AdapterPlan.PlacedMap] { maps.filter { $0.weight != 0 } }
}
