import CAllocationCounter
import Kernels
import Testing
import Transformer

/// What a step costs beside its arithmetic.
struct StepAllocationTests {
    private let base: BaseModel

    init() throws { base = try BaseModel.open(path: TinyBase.original, pool: TinyBase.pool) }

    private init(base: BaseModel) { self.base = base }

    /// A low-rank operator at every linear slot.
    private func plan() throws -> AdapterPlan {
        var operators = AdapterOperators()
        for slot in base.slots.linearSlots {
            let shape = base.slots.shape(of: slot)
            let values = AlignedBuffer<Float>(count: 4 * max(shape.inputCount, shape.outputCount))
            for index in 0..<values.count { values.pointer[index] = Float(index % 7) * 0.01 }
            func stored(_ outputCount: Int, _ inputCount: Int) -> WeightMatrix {
                WeightMatrix(
                    pointer: UnsafeRawPointer(values.pointer), type: .f32, outputCount: outputCount,
                    inputCount: inputCount)
            }
            operators.linear[slot] = [
                .lowRank(
                    LowRankOperator(
                        a: RowMatrix(copying: stored(4, shape.inputCount)),
                        b: PackedMatrix(packing: stored(shape.outputCount, 4), pool: nil),
                        scaling: 0.5))
            ]
        }
        return try AdapterPlan(
            [SelectedOperators(name: "a", operators: operators, weight: 1)], slots: base.slots)
    }

    /// A bottleneck at every sublayer.
    private func bottleneckPlan() throws -> AdapterPlan {
        var operators = AdapterOperators()
        let (width, hiddenSize) = (4, base.slots.hiddenSize)
        let bottleneck = Bottleneck(
            network: Bottleneck.Network(
                down: Array(repeating: 0.01, count: width * hiddenSize),
                downBias: Array(repeating: 0, count: width), function: ActivationFunction("gelu")!,
                up: Array(repeating: 0.01, count: hiddenSize * width),
                upBias: Array(repeating: 0, count: hiddenSize),
                scaling: Array(repeating: 1, count: hiddenSize)),
            placement: Bottleneck.Placement(
                input: Bottleneck.Mix(output: 1, stream: 0), inner: .nothing,
                outer: Bottleneck.Mix(output: 1, stream: 0)),
            normBefore: LayerNorm(
                gain: Array(repeating: 1, count: hiddenSize),
                bias: Array(repeating: 0, count: hiddenSize)))
        for layer in 0..<base.slots.layerCount {
            for sublayer in Sublayer.allCases {
                operators.bottlenecks[SublayerSlot(layer: layer, sublayer: sublayer)] = bottleneck
            }
        }
        return try AdapterPlan(
            [SelectedOperators(name: "a", operators: operators, weight: 1)], slots: base.slots)
    }

    /// Allocations in ten decoding steps of four sequences, after ten that are not counted.
    private func allocations(of plans: [AdapterPlan], threads: Int) -> Int {
        let pages = KeyValuePagePool(
            pageCount: 16, layerCount: base.configuration.layerCount, shape: base.attentionShape)
        let pass = ForwardPass(
            base: base, pages: pages, pool: WorkerPool(threadCount: threads), maximumRowCount: 8,
            maximumLogitsRowCount: 8)
        var slices = (0..<4).map { index in
            StepSlice(
                plan: plans[index * plans.count / 4], tokens: [5], cachedTokenCount: 0,
                pages: [pages.allocate()!, pages.allocate()!], firstLogitsRow: 0)
        }
        var start = 0
        for step in 0..<20 {
            if step == 10 { start = allocation_count() }
            for index in slices.indices { slices[index].cachedTokenCount = step }
            _ = pass.step(slices)
        }
        return allocation_count() - start
    }

    @Test(arguments: [1, 2])
    func decodingAllocatesNothing(threads: Int) throws {
        let base = AdapterPlan.base(base.slots)
        #expect(allocations(of: [base], threads: threads) == 0)
        #expect(try allocations(of: [base, plan(), plan()], threads: threads) == 0)
        #expect(try allocations(of: [base, bottleneckPlan()], threads: threads) == 0)
    }

    /// Experts (the same of the same tokens, step after step), and modules that make several things
    /// at once in each of their orders.
    @Test(arguments: ["mixtral", "gpt-oss", "granitemoe", "phi3", "gpt2", "gpt-neox"], [1, 2])
    func decodingOnOtherArchitecturesAllocatesNothing(name: String, threads: Int) throws {
        let tests = Self(
            base: try BaseModel.open(path: TinyBase.architecture(name), pool: TinyBase.pool))
        let base = AdapterPlan.base(tests.base.slots)
        #expect(tests.allocations(of: [base], threads: threads) == 0)
        #expect(try tests.allocations(of: [base, tests.plan()], threads: threads) == 0)
    }

    @Test(.enabled(if: allocations_are_counted() != 0, "a sanitizer has the allocator"))
    func theCounterCounts() {
        let start = allocation_count()
        let places = (0..<10).map { UnsafeMutablePointer<Int>.allocate(capacity: $0 + 100) }
        #expect(allocation_count() - start >= 10)
        for place in places { place.deallocate() }
    }
}
