internal import CKernels

/// How a product is cut into tasks: by panels, and for many rows by rows as well.
struct ProductSplit {
    private let rowCount: Int
    private let panelCount: Int
    private let panelTaskCount: Int
    /// Panels of a task; the last one has fewer.
    private let taskPanelCount: Int
    private let rowTaskCount: Int

    /// Rows of a task: enough to pay for widening a panel, few enough to share out evenly.
    private static let taskRowCount = 120
    /// Rows of a task of a product with few outputs.
    private static let narrowTaskRowCount = 30
    /// Enough tasks for a worker that starts late or is interrupted to hold nobody up for long.
    private static let tasksPerThread = 8
    /// Weights for which handing out a task is worthwhile, for few rows.
    private static let taskByteCount = 16384
    /// Panels that one row is multiplied with at once; its tasks have whole groups of them.
    private static let groupPanelCount = Int(GK_GROUP)
    /// Panels that more rows are multiplied with at once, at most.
    private static let tilePanelCount = 2

    /// - Parameter panelByteCount: what a panel takes of memory.
    init(rowCount: Int, panelCount: Int, panelByteCount: Int, threadCount: Int) {
        self.rowCount = rowCount
        self.panelCount = panelCount
        rowTaskCount = max(1, (rowCount + Self.taskRowCount - 1) / Self.taskRowCount)
        let wanted = threadCount == 1 ? 1 : threadCount * Self.tasksPerThread
        let unit = rowCount == 1 ? Self.groupPanelCount : Self.tilePanelCount
        let unitCount = (panelCount + unit - 1) / unit
        let worthwhile = Self.taskByteCount / (unit * panelByteCount * max(1, rowCount / 4))
        taskPanelCount = unit * max(1, unitCount / wanted, worthwhile)
        panelTaskCount = max(1, (panelCount + taskPanelCount - 1) / taskPanelCount)
    }

    /// Rows only: for products with few outputs.
    init(rowCount: Int) {
        self.rowCount = rowCount
        panelCount = 1
        taskPanelCount = 1
        rowTaskCount = max(1, (rowCount + Self.narrowTaskRowCount - 1) / Self.narrowTaskRowCount)
        panelTaskCount = 1
    }

    var taskCount: Int { rowTaskCount * panelTaskCount }

    /// Rows and panels of a task; tasks with the same panels follow each other.
    func part(_ task: Int) -> (rows: Range<Int>, panels: Range<Int>) {
        let (panelTask, rowTask) = task.quotientAndRemainder(dividingBy: rowTaskCount)
        let rows = share(rowTask, of: rowTaskCount, count: rowCount)
        let firstPanel = panelTask * taskPanelCount
        return (rows, firstPanel..<min(panelCount, firstPanel + taskPanelCount))
    }

    private func share(_ index: Int, of parts: Int, count: Int) -> Range<Int> {
        index * count / parts..<(index + 1) * count / parts
    }
}
