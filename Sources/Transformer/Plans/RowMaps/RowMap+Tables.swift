internal import Kernels

// Maps of whole tables, shared out among workers: what merging needs.
extension RowMap {
    private static var taskRowCount: Int { 16 }

    /// result += scale · M r for each row r of a table.
    ///
    /// - Parameters:
    ///   - table: **Shape** [rowCount, inputCount].
    ///   - result: **Shape** [rowCount, outputCount]; doesn't overlap `table`.
    func add(
        rowsOf table: UnsafePointer<Float>, rowCount: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>, pool: WorkerPool?
    ) {
        inTasks(of: rowCount, scratchCount: scratchCount, pool) { rows, scratch in
            for first in stride(from: rows.lowerBound, to: rows.upperBound, by: groupRowCount) {
                add(
                    RowGroup(
                        input: table + first * inputCount, inputStride: inputCount,
                        output: result + first * outputCount, outputStride: outputCount,
                        rowCount: min(groupRowCount, rows.upperBound - first)),
                    scaledBy: scale, scratch: scratch)
            }
        }
    }

    /// Adds scale · M c to each column of a table, where `input` gives c.
    ///
    /// - Parameter table: **Shape** [outputCount, width], row-major.
    func addColumns(
        scaledBy scale: Float, to table: UnsafeMutablePointer<Float>, width: Int,
        pool: WorkerPool?, input: (_ column: Int, _ input: UnsafeMutablePointer<Float>) -> Void
    ) {
        // Of a task's columns, the outputs lie side by side before they go to the table's rows.
        let ownCount = inputCount + Self.taskRowCount * outputCount
        inTasks(of: width, scratchCount: ownCount + scratchCount, pool) { columns, scratch in
            let outputs = scratch + inputCount
            outputs.update(repeating: 0, count: columns.count * outputCount)
            for column in columns {
                input(column, scratch)
                add(
                    scratch, scaledBy: scale,
                    to: outputs + (column - columns.lowerBound) * outputCount,
                    scratch: scratch + ownCount)
            }
            for output in 0..<outputCount {
                let row = table + output * width + columns.lowerBound
                for index in 0..<columns.count {
                    row[index] += outputs[index * outputCount + output]
                }
            }
        }
    }

    private func inTasks(
        of count: Int, scratchCount: Int, _ pool: WorkerPool?,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let stride = (scratchCount + 15) / 16 * 16
        let scratch = AlignedBuffer<Float>(count: max(1, stride * (pool?.threadCount ?? 1)))
        let taskCount = (count + Self.taskRowCount - 1) / Self.taskRowCount
        func run(_ task: Int, _ worker: Int) {
            let first = task * Self.taskRowCount
            body(
                first..<min(count, first + Self.taskRowCount), scratch.pointer + worker * stride)
        }
        guard let pool else {
            for task in 0..<taskCount { run(task, 0) }
            return
        }
        pool.run(taskCount: taskCount) { run($0, $1) }
    }
}
