internal import CKernels

/// Products that can run at the same time, shared out among the workers as one job.
///
/// All projections of the same rows, and the first halves of all low-rank operators on them, need
/// one job instead of one each. Used again for batch after batch, it allocates nothing.
///
/// For one thread at a time. Matrices and rows must live until `run` returns; outputs of one batch
/// must not overlap.
public final class ProductBatch: WorkerJob {
    private struct Entry: BitwiseCopyable {
        enum Kind { case packed, rows }
        /// The form in which a product takes the shared rows.
        enum Rounding { case none, pairs, blocks }
        var kind: Kind
        var rounding = Rounding.none
        var packed = gk_product()
        var dots = gk_dot_product()
        /// The first row within the batch's shared input.
        var firstRow = 0
        var split: ProductSplit
        var firstTask: Int

        var weights: UnsafeRawPointer? { kind == .packed ? packed.packed : dots.weights }
    }

    /// The shared rows as they were rounded.
    private struct Rounded: BitwiseCopyable {
        var pairs: UnsafePointer<UInt32>
        var levels: UnsafePointer<Int8>
        var blocks: UnsafePointer<gk_row_block>
    }

    /// What the tasks of a run read; pointers alone, so that no task counts references.
    private struct Work: BitwiseCopyable {
        var entries: UnsafeBufferPointer<Entry>
        var rounded: Rounded
    }

    private struct Input {
        var pointer: UnsafePointer<Float>
        var rowCount: Int
        var stride: Int
        var width: Int
    }

    private let pool: WorkerPool
    private var entries: [Entry] = []
    private var taskCount = 0
    private var input: Input?
    private var work: Work?
    private var needsPairs = false
    private var needsBlocks = false
    private var pairs = AlignedBuffer<UInt32>(count: 0)
    private var levels = AlignedBuffer<Int8>(count: 0)
    private var blocks = AlignedBuffer<gk_row_block>(count: 0)

    public init(pool: WorkerPool) {
        self.pool = pool
    }

    /// Names the rows that the next products share; they are rounded once for all of them.
    ///
    /// - Parameter input: **Shape** [rowCount, width], rows `stride` floats apart.
    public func begin(
        input: UnsafePointer<Float>, rowCount: Int, stride: Int, width: Int
    ) {
        self.input = Input(pointer: input, rowCount: rowCount, stride: stride, width: width)
        needsPairs = false
        needsBlocks = false
    }

    /// output[r, o] = (accumulating ? output[r, o] : 0) + Σ_k input[r, k] · W[o, k]
    ///
    /// Each output is one chain of additions in one order, whatever the number of rows, the way
    /// they are split, or the number of threads; so a row's result has the same bits in any batch.
    ///
    /// - Parameters:
    ///   - rows: of the shared input.
    ///   - output: where the first of them goes. **Shape** [rows.count, outputCount].
    public func add(
        _ matrix: PackedView, rows: Range<Int>, output: UnsafeMutablePointer<Float>,
        outputStride: Int, accumulating: Bool
    ) {
        guard let input, !rows.isEmpty, matrix.outputCount > 0 else { return }
        precondition(matrix.inputCount == input.width && rows.upperBound <= input.rowCount)
        needsPairs = needsPairs || matrix.takesPairs
        needsBlocks = needsBlocks || matrix.isBlocks
        append(
            matrix, input: input.pointer + rows.lowerBound * input.stride, rowCount: rows.count,
            inputStride: input.stride, output: output, outputStride: outputStride,
            accumulating: accumulating)
        entries[entries.count - 1].firstRow = rows.lowerBound
        entries[entries.count - 1].rounding =
            matrix.isBlocks ? .blocks : matrix.takesPairs ? .pairs : .none
    }

    /// As above, with rows of its own that are taken as they are; not for types of blocks.
    public func add(
        _ matrix: PackedView, input: UnsafePointer<Float>, rowCount: Int, inputStride: Int,
        output: UnsafeMutablePointer<Float>, outputStride: Int, accumulating: Bool
    ) {
        precondition(!matrix.isBlocks)
        guard rowCount > 0, matrix.outputCount > 0 else { return }
        append(
            matrix, input: input, rowCount: rowCount, inputStride: inputStride, output: output,
            outputStride: outputStride, accumulating: accumulating)
    }

    /// output[r, o] = scale · Σ_k input[r, k] · W[o, k], for rows of the shared input.
    public func add(
        _ matrix: RowView, rows: Range<Int>, output: UnsafeMutablePointer<Float>,
        outputStride: Int, scale: Float
    ) {
        guard let input, !rows.isEmpty, matrix.outputCount > 0 else { return }
        precondition(matrix.inputCount == input.width && rows.upperBound <= input.rowCount)
        var entry = Entry(
            kind: .rows, split: ProductSplit(rowCount: rows.count), firstTask: taskCount)
        entry.dots.type = matrix.type
        entry.dots.weights = matrix.bytes
        entry.dots.outputs = matrix.outputCount
        entry.dots.inputs = matrix.inputCount
        entry.dots.x = input.pointer + rows.lowerBound * input.stride
        entry.dots.x_stride = input.stride
        entry.dots.rows = rows.count
        entry.dots.y = output
        entry.dots.y_stride = outputStride
        entry.dots.scale = scale
        append(entry)
    }

    /// Computes all products and forgets them.
    ///
    /// - Parameter meanwhile: called once while the workers compute; it must not wait for them.
    public func run(meanwhile: () -> Void = {}) {
        roundInput()
        let rounded = Rounded(
            pairs: UnsafePointer(pairs.pointer), levels: UnsafePointer(levels.pointer),
            blocks: UnsafePointer(blocks.pointer))
        entries.withUnsafeBufferPointer { entries in
            work = Work(entries: entries, rounded: rounded)
            pool.run(taskCount: taskCount, self, meanwhile: meanwhile)
            work = nil
        }
        entries.removeAll(keepingCapacity: true)
        taskCount = 0
    }

    public override func perform(task: Int, worker: Int) {
        guard let work else { return round(task: task) }
        Self.run(task, of: work, scratch: pool.productScratch(worker: worker))
    }

    private func append(
        _ matrix: PackedView, input: UnsafePointer<Float>, rowCount: Int, inputStride: Int,
        output: UnsafeMutablePointer<Float>, outputStride: Int, accumulating: Bool
    ) {
        let split = ProductSplit(
            rowCount: rowCount, rowByteCount: matrix.inputCount * (matrix.isBlocks ? 1 : 4),
            panelCount: matrix.panelCount,
            panelByteCount: gk_panel_bytes(matrix.type, matrix.inputCount),
            isBlocks: matrix.isBlocks,
            threadCount: pool.threadCount)
        var entry = Entry(kind: .packed, split: split, firstTask: taskCount)
        entry.packed.type = matrix.type
        entry.packed.packed = matrix.bytes
        entry.packed.outputs = matrix.outputCount
        entry.packed.inputs = matrix.inputCount
        entry.packed.x = input
        entry.packed.x_stride = inputStride
        entry.packed.y = output
        entry.packed.y_stride = outputStride
        entry.packed.accumulate = accumulating ? 1 : 0
        append(entry)
    }

    private func append(_ entry: Entry) {
        entries.append(entry)
        taskCount += entry.split.taskCount
    }

    private static func run(
        _ task: Int, of work: Work, scratch: UnsafeMutablePointer<Float>
    ) {
        let entries = work.entries
        // The last entry that begins at or before the task.
        var low = 0
        var high = entries.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].firstTask <= task { low = middle } else { high = middle }
        }
        let (rows, panels) = entries[low].split.part(task - entries[low].firstTask)
        let isFollowed = high < entries.count && entries[high].firstTask == task + 1
        let after = isFollowed ? entries[high].weights : nil
        switch entries[low].kind {
        case .packed:
            multiply(entries[low], rows, panels, after, work.rounded, scratch: scratch)
        case .rows:
            var dots = entries[low].dots
            dots.after = after
            dots.x += rows.lowerBound * dots.x_stride
            dots.y += rows.lowerBound * dots.y_stride
            dots.rows = rows.count
            gk_dots(&dots)
        }
    }

    private static func multiply(
        _ entry: Entry, _ rows: Range<Int>, _ panels: Range<Int>, _ after: UnsafeRawPointer?,
        _ rounded: Rounded, scratch: UnsafeMutablePointer<Float>
    ) {
        var product = entry.packed
        product.after = after
        let row = entry.firstRow + rows.lowerBound
        switch entry.rounding {
        case .none: break
        case .pairs: product.x_pairs = rounded.pairs + row * ((product.inputs + 1) / 2)
        case .blocks:
            product.x_levels = rounded.levels + row * product.inputs
            product.x_blocks = rounded.blocks + row * (product.inputs / 32)
        }
        product.first_panel = panels.lowerBound
        product.last_panel = panels.upperBound
        product.x += rows.lowerBound * product.x_stride
        product.rows = rows.count
        product.y += rows.lowerBound * product.y_stride
        product.scratch = scratch
        gk_multiply(&product)
    }
}

// MARK: Rounding of the shared rows

extension ProductBatch {
    /// Rows of a task that rounds.
    fileprivate static var roundedRowCount: Int { 4 }
    /// Values up to which the calling thread rounds them itself, in some two microseconds: handing
    /// rows to another core takes one. Rounding to blocks takes twice as long as to bf16.
    private var roundedAloneCount: Int { needsBlocks ? 8192 : 16384 }

    /// Words of a row rounded to bf16.
    private var pairCount: Int { ((input?.width ?? 0) + 1) / 2 }

    private func roundInput() {
        guard let input, needsPairs || needsBlocks else { return }
        reserve(rowCount: input.rowCount)
        guard input.rowCount * input.width > roundedAloneCount else {
            return round(0..<input.rowCount, of: input)
        }
        let taskRowCount = Self.roundedRowCount
        pool.run(taskCount: (input.rowCount + taskRowCount - 1) / taskRowCount, self)
    }

    /// The task of a run that rounds, which has no work yet.
    private func round(task: Int) {
        guard let input else { return }
        let first = task * Self.roundedRowCount
        round(first..<min(input.rowCount, first + Self.roundedRowCount), of: input)
    }

    private func round(_ rows: Range<Int>, of input: Input) {
        let source = input.pointer + rows.lowerBound * input.stride
        if needsPairs {
            gk_round_rows_bf16(
                source, input.stride, rows.count, input.width,
                pairs.pointer + rows.lowerBound * pairCount)
        }
        if needsBlocks {
            gk_round_rows_int8(
                source, input.stride, rows.count, input.width,
                levels.pointer + rows.lowerBound * input.width,
                blocks.pointer + rows.lowerBound * (input.width / 32))
        }
    }

    private func reserve(rowCount: Int) {
        let width = input?.width ?? 0
        if needsPairs, pairs.count < rowCount * pairCount {
            pairs = AlignedBuffer(count: rowCount * pairCount)
        }
        if needsBlocks, levels.count < rowCount * width {
            levels = AlignedBuffer(count: rowCount * width)
            blocks = AlignedBuffer(count: rowCount * (width / 32))
        }
    }
}
