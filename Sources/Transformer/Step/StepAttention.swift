import Kernels

/// Attention's view of a step: which rows and pages each sequence has.
final class StepAttention {
    /// A slice's rows and pages.
    private struct SliceRows {
        var rows: Range<Int>
        var cachedTokenCount: Int
        var pages: [Int32]
        var prefix: PrefixKeyValues?
        /// Where its page pointers begin; those of the prefix come first.
        var firstPointer: Int
    }

    private let shape: AttentionShape
    private let scratch = AttentionScratch()
    private let storing: KeyValueStoring
    private var sequences: [SliceRows] = []
    /// Where each row's key and value go.
    private var places: [KeyValueStoring.Place] = []
    private var slices: [AttentionSlice] = []
    /// The same for the rows that get logits alone, which then stand first in the buffers.
    private var logitsSlices: [AttentionSlice] = []
    private var pagePointers: UnsafeMutablePointer<UnsafePointer<Float>>
    private var pointerCapacity = 256

    init(shape: AttentionShape) {
        self.shape = shape
        storing = KeyValueStoring(shape: shape)
        pagePointers = .allocate(capacity: pointerCapacity)
    }

    deinit { pagePointers.deallocate() }

    /// Lays out rows and pointers; the same for all layers of the step.
    func prepare(_ stepSlices: [StepSlice], buffers: StepBuffers) {
        sequences.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        var row = 0
        var pointer = 0
        for slice in stepSlices {
            let rows = row..<row + slice.tokens.count
            sequences.append(
                SliceRows(
                    rows: rows, cachedTokenCount: slice.cachedTokenCount, pages: slice.pages,
                    prefix: slice.plan.prefix, firstPointer: pointer))
            for position in slice.cachedTokenCount..<slice.cachedTokenCount + rows.count {
                let (page, slot) = position.quotientAndRemainder(
                    dividingBy: Attention.pageTokenCount)
                places.append(KeyValueStoring.Place(page: slice.pages[page], slot: slot))
            }
            row = rows.upperBound
            pointer += (slice.plan.prefix?.pageCount ?? 0) + slice.pages.count
        }
        reservePointers(pointer)
        slices.removeAll(keepingCapacity: true)
        logitsSlices.removeAll(keepingCapacity: true)
        var logitsRow = 0
        for (index, sequence) in sequences.enumerated() {
            slices.append(
                slice(
                    of: sequence, skipping: 0, at: sequence.rows.lowerBound, buffers: buffers))
            let count = stepSlices[index].logitsRowCount
            guard count > 0 else { continue }
            logitsSlices.append(
                slice(
                    of: sequence, skipping: sequence.rows.count - count, at: logitsRow,
                    buffers: buffers))
            logitsRow += count
        }
    }

    /// Turns the rows' queries and keys, and writes keys and values into their sequences' pages.
    func turnAndStore(
        _ rotation: KeyValueStoring.Rotation?, layer: Int, pages: KeyValuePageView,
        buffers: StepBuffers, pool: WorkerPool
    ) {
        storing.run(places, rotation, buffers, layer: layer, pages: pages, pool: pool)
    }

    /// Attends from every row to its sequence's prefix and to its own tokens up to itself.
    ///
    /// - Parameters:
    ///   - rule: what the layer does with scores.
    ///   - logitsRowsOnly: of the rows that get logits alone, which stand first in the buffers.
    func run(
        layer: Int, rule: AttentionRule, pages: KeyValuePageView, pool: WorkerPool,
        logitsRowsOnly: Bool = false
    ) {
        for sequence in sequences {
            var pointer = pagePointers + sequence.firstPointer
            if let prefix = sequence.prefix {
                for page in 0..<prefix.pageCount {
                    pointer.initialize(to: prefix.page(page, layer: layer))
                    pointer += 1
                }
            }
            for page in sequence.pages {
                pointer.initialize(to: UnsafePointer(pages.page(page, layer: layer)))
                pointer += 1
            }
        }
        (logitsRowsOnly ? logitsSlices : slices).withUnsafeBufferPointer {
            Attention.run(slices: $0, shape: shape, rule: rule, scratch: scratch, pool: pool)
        }
    }

    /// - Parameters:
    ///   - count: rows of the sequence that don't attend.
    ///   - row: where the others are in the buffers.
    private func slice(
        of sequence: SliceRows, skipping count: Int, at row: Int, buffers: StepBuffers
    ) -> AttentionSlice {
        let prefixPageCount = sequence.prefix?.pageCount ?? 0
        let pointers = UnsafePointer(pagePointers + sequence.firstPointer)
        return AttentionSlice(
            queries: buffers.queries.row(row),
            queryStride: buffers.queries.width,
            output: buffers.attended.row(row),
            outputStride: buffers.attended.width, rowCount: sequence.rows.count - count,
            firstRowVisibleCount: sequence.cachedTokenCount + count + 1,
            prefixPages: prefixPageCount > 0 ? pointers : nil,
            prefixTokenCount: sequence.prefix?.tokenCount ?? 0, pages: pointers + prefixPageCount)
    }

    private func reservePointers(_ count: Int) {
        guard count > pointerCapacity else { return }
        pagePointers.deallocate()
        pointerCapacity = count * 2
        pagePointers = .allocate(capacity: pointerCapacity)
    }
}
