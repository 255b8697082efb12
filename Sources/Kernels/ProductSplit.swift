internal import CKernels

/// How a product is cut into tasks: by panels, and for many rows by rows as well.
struct ProductSplit {
    private let rowCount: Int
    private let panelCount: Int
    private let panelTaskCount: Int
    private let rowTaskCount: Int

    /// Rows of a task: enough to pay for widening a panel, few enough to share out evenly.
    private static let taskRowCount = 120
    /// Rows of a task of a product with few outputs.
    private static let narrowTaskRowCount = 30
    /// Enough tasks for a worker that starts late or is interrupted to hold nobody up for long.
    private static let tasksPerThread = 8
    /// Panels that one row is multiplied with at once; tasks begin at whole groups of them.
    private static let groupPanelCount = Int(GK_GROUP)

    init(rowCount: Int, panelCount: Int, threadCount: Int) {
        self.rowCount = rowCount
        self.panelCount = panelCount
        rowTaskCount = max(1, (rowCount + Self.taskRowCount - 1) / Self.taskRowCount)
        let wanted = threadCount == 1 ? 1 : threadCount * Self.tasksPerThread
        panelTaskCount = max(1, min(Self.groupCount(panelCount), wanted))
    }

    /// Rows only: for products with few outputs.
    init(rowCount: Int) {
        self.rowCount = rowCount
        panelCount = 1
        rowTaskCount = max(1, (rowCount + Self.narrowTaskRowCount - 1) / Self.narrowTaskRowCount)
        panelTaskCount = 1
    }

    var taskCount: Int { rowTaskCount * panelTaskCount }

    /// Rows and panels of a task; tasks with the same panels follow each other.
    func part(_ task: Int) -> (rows: Range<Int>, panels: Range<Int>) {
        let (panelTask, rowTask) = task.quotientAndRemainder(dividingBy: rowTaskCount)
        let rows = share(rowTask, of: rowTaskCount, count: rowCount)
        let groups = share(panelTask, of: panelTaskCount, count: Self.groupCount(panelCount))
        let firstPanel = groups.lowerBound * Self.groupPanelCount
        let endPanel = min(panelCount, groups.upperBound * Self.groupPanelCount)
        return (rows, firstPanel..<endPanel)
    }

    private static func groupCount(_ panelCount: Int) -> Int {
        (panelCount + groupPanelCount - 1) / groupPanelCount
    }

    private func share(_ index: Int, of parts: Int, count: Int) -> Range<Int> {
        index * count / parts..<(index + 1) * count / parts
    }
}
