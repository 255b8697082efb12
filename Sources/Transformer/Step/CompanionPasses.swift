import Kernels

/// Runs the companions of a step's plans before the step's own pass.
final class CompanionPasses {
    /// What companions left for the rows of a step; valid until the next one.
    struct States {
        /// By row of the step; rows without companion have any content.
        let rows: RowBuffer
        /// By row of logits, once gathered.
        let logitsRows: RowBuffer

        /// Takes the states of rows that get logits.
        func gather(_ logitsRows: [Int]) {
            for (index, row) in logitsRows.enumerated() {
                self.logitsRows.row(index).update(from: rows.row(row), count: rows.width)
            }
        }
    }

    /// The rows of a slice whose plan has a companion.
    private struct Part {
        let companion: PlanCompanion
        let slice: StepSlice
        /// In the step.
        let firstRow: Int
    }

    /// The pass of a model of its own.
    private struct ModelPass {
        let pass: ForwardPass
        var lastStep: Int
    }

    /// Steps with companions after which a model that none of them had is let go.
    private static let keptStepCount = 64

    private var storage = AlignedBuffer<Float>(count: 0)
    private var parts: [Part] = []
    private var passes: [ObjectIdentifier: ModelPass] = [:]
    private var stepCount = 0

    /// - Returns: nil where no plan has a companion.
    func run(_ slices: [StepSlice], beside main: ForwardPass) -> States? {
        guard slices.contains(where: \.plan.hasCompanion) else { return nil }
        stepCount += 1
        collect(slices)
        let states = reserve(rowCount: slices.reduce(0) { $0 + $1.tokens.count })
        while let first = parts.first {
            let model = first.companion.model
            let own = parts.filter { $0.companion.model === model }
            parts.removeAll { $0.companion.model === model }
            run(own, through: model.map { pass(of: $0, beside: main) } ?? main, states.rows)
        }
        passes = passes.filter { $0.value.lastStep + Self.keptStepCount > stepCount }
        return states
    }

    private func collect(_ slices: [StepSlice]) {
        var row = 0
        for slice in slices {
            defer { row += slice.tokens.count }
            guard let companion = slice.plan.companion else { continue }
            precondition(slice.companionPages.count >= slice.pages.count)
            parts.append(
                Part(
                    companion: companion,
                    slice: StepSlice(
                        plan: companion.plan, tokens: slice.tokens,
                        cachedTokenCount: slice.cachedTokenCount, pages: slice.companionPages,
                        firstLogitsRow: slice.tokens.count), firstRow: row))
        }
    }

    private func reserve(rowCount: Int) -> States {
        let width = parts.reduce(0) { max($0, $1.companion.stateWidth) }
        let count = 2 * rowCount * width
        if storage.count < count { storage = AlignedBuffer(count: count + count / 2) }
        return States(
            rows: RowBuffer(pointer: storage.pointer, width: width),
            logitsRows: RowBuffer(pointer: storage.pointer + rowCount * width, width: width))
    }

    private func pass(of model: BaseModel, beside main: ForwardPass) -> ForwardPass {
        let identity = ObjectIdentifier(model)
        let pass =
            passes[identity]?.pass
            ?? ForwardPass(
                base: model, pages: main.pages,
                pageView: main.pages.view(
                    layerCount: model.configuration.layerCount, shape: model.attentionShape),
                pool: main.pool, maximumRowCount: main.maximumRowCount, maximumLogitsRowCount: 0)
        passes[identity] = ModelPass(pass: pass, lastStep: stepCount)
        return pass
    }

    private func run(_ parts: [Part], through pass: ForwardPass, _ states: RowBuffer) {
        pass.runLayers(parts.map(\.slice), nil)
        pass.normalizeHidden()
        var first = 0
        for part in parts {
            read(part, from: first, of: pass, to: states)
            first += part.slice.tokens.count
        }
    }

    /// - Parameter first: the part's first row in the pass.
    private func read(
        _ part: Part, from first: Int, of pass: ForwardPass, to states: RowBuffer
    ) {
        let (hidden, companion) = (pass.buffers.normed, part.companion)
        pass.forEachRowBlock(of: part.slice.tokens.count) { block in
            for offset in block {
                let state = states.row(part.firstRow + offset)
                let row = hidden.row(first + offset)
                guard let readout = companion.readout else {
                    state.update(from: row, count: companion.stateWidth)
                    continue
                }
                state.update(repeating: 0, count: companion.stateWidth)
                withUnsafeTemporaryAllocation(
                    of: Float.self, capacity: max(1, readout.scratchCount)
                ) { readout.add(row, scaledBy: 1, to: state, scratch: $0.baseAddress!) }
            }
        }
    }
}
