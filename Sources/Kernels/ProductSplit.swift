internal import CKernels

/// How a product is cut into tasks: by panels, and for many rows by rows as well.
struct ProductSplit {
    private let rowCount: Int
    private let panelCount: Int
    /// Panels that a task has a whole number of.
    private let unit: Int
    private let panelTaskCount: Int
    private let rowTaskCount: Int

    /// Rows of a task: enough to pay for reading a panel, few enough to share out evenly.
    private static let taskRowCount = 120
    /// Fewer don't pay for reading a panel, however wide they are.
    private static let leastTaskRowCount = 30
    /// Bytes of a task's rows: what stays in the second-level cache while panels pass.
    private static let taskInputByteCount = 256 << 10
    /// Rows of a task of a product with few outputs.
    private static let narrowTaskRowCount = 30
    /// Enough tasks for a worker that starts late or is interrupted to hold nobody up for long.
    private static let tasksPerThread = 32
    /// Weights for which handing out a task is worthwhile, for few rows.
    private static let taskByteCount = 16384
    /// Panels that one row is multiplied with at once.
    private static let groupPanelCount = Int(GK_GROUP)
    /// Panels that more rows are multiplied with at once, at most.
    private static let tilePanelCount = 2

    /// - Parameters:
    ///   - rowByteCount: what a row takes of memory, as it is multiplied.
    ///   - panelByteCount: the same of a panel.
    init(
        rowCount: Int, rowByteCount: Int, panelCount: Int, panelByteCount: Int, isBlocks: Bool,
        threadCount: Int
    ) {
        self.rowCount = rowCount
        self.panelCount = panelCount
        let taskRowCount = max(
            Self.leastTaskRowCount, min(Self.taskRowCount, Self.taskInputByteCount / rowByteCount))
        rowTaskCount = max(1, (rowCount + taskRowCount - 1) / taskRowCount)
        unit = rowCount == 1 ? 1 : Self.tilePanelCount
        let unitCount = (panelCount + unit - 1) / unit
        let wanted = threadCount == 1 ? 1 : threadCount * Self.tasksPerThread
        let worthwhile = Self.taskByteCount / (unit * panelByteCount * max(1, rowCount / 4))
        let group = isBlocks || rowCount > 1 ? 1 : Self.groupPanelCount
        let taskUnitCount = max(group, unitCount / wanted, worthwhile)
        let taskCount = (unitCount + taskUnitCount - 1) / taskUnitCount
        // As many for each thread: with one more, the other threads would wait for it.
        let even = (taskCount + threadCount - 1) / threadCount * threadCount
        panelTaskCount = taskCount > 1 ? min(even, unitCount) : 1
    }

    /// Rows only: for products with few outputs.
    init(rowCount: Int) {
        self.rowCount = rowCount
        panelCount = 1
        unit = 1
        rowTaskCount = max(1, (rowCount + Self.narrowTaskRowCount - 1) / Self.narrowTaskRowCount)
        panelTaskCount = 1
    }

    var taskCount: Int { rowTaskCount * panelTaskCount }

    /// Rows and panels of a task; tasks with the same rows follow each other.
    func part(_ task: Int) -> (rows: Range<Int>, panels: Range<Int>) {
        let (rowTask, panelTask) = task.quotientAndRemainder(dividingBy: panelTaskCount)
        let rows = share(rowTask, of: rowTaskCount, count: rowCount)
        let units = share(
            panelTask, of: panelTaskCount, count: (panelCount + unit - 1) / unit)
        return (rows, units.lowerBound * unit..<min(panelCount, units.upperBound * unit))
    }

    private func share(_ index: Int, of parts: Int, count: Int) -> Range<Int> {
        index * count / parts..<(index + 1) * count / parts
    }
}
