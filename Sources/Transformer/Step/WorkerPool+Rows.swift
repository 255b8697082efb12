import Kernels

extension WorkerPool {
    /// Splits elementwise work on rows among the workers; few rows stay on the calling thread.
    func forEachRowBlock(of rowCount: Int, _ body: (Range<Int>) -> Void) {
        let blockRowCount = 16
        guard rowCount > blockRowCount else { return body(0..<rowCount) }
        let blockCount = (rowCount + blockRowCount - 1) / blockRowCount
        run(taskCount: blockCount) { block, _ in
            body(block * blockRowCount..<min(rowCount, (block + 1) * blockRowCount))
        }
    }
}
