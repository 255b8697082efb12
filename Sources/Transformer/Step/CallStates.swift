import Kernels

/// States of whole calls: of each, the mean of what a map's router makes of its rows, added up in
/// their order.
final class CallStates {
    private let pool: WorkerPool
    /// One for each call and slot of a stage; used again by the next stage.
    private var storages: [AlignedBuffer<Float>] = []
    private var usedCount = 0

    init(pool: WorkerPool) {
        self.pool = pool
    }

    /// Forgets all states.
    func removeAll() { usedCount = 0 }

    /// The state that all rows of a call share at a slot.
    ///
    /// - Parameter input: the call's rows at the slot.
    /// - Returns: nil where no map has a router.
    func state(
        of view: LinearView, rowCount: Int, input: UnsafePointer<Float>, inputStride: Int
    ) -> (first: UnsafePointer<Float>, stride: Int)? {
        for index in 0..<view.mapCount {
            let map = view.maps![index].map.takeUnretainedValue()
            guard let router = map.router else { continue }
            let gates = reserve((rowCount + 1) * router.outputCount)
            route(router, rowCount: rowCount, input, inputStride, to: gates)
            average(gates, rowCount: rowCount, width: router.outputCount)
            return (UnsafePointer(gates), 0)
        }
        return nil
    }

    private func reserve(_ count: Int) -> UnsafeMutablePointer<Float> {
        if usedCount == storages.count { storages.append(AlignedBuffer(count: count)) }
        if storages[usedCount].count < count { storages[usedCount] = AlignedBuffer(count: count) }
        usedCount += 1
        return storages[usedCount - 1].pointer
    }

    /// Each row's gates, from the second row of `gates` on.
    private func route(
        _ router: RowMap, rowCount: Int, _ input: UnsafePointer<Float>, _ inputStride: Int,
        to gates: UnsafeMutablePointer<Float>
    ) {
        let width = router.outputCount
        gates.update(repeating: 0, count: (rowCount + 1) * width)
        let blockRowCount = 16
        let blockCount = (rowCount + blockRowCount - 1) / blockRowCount
        pool.run(taskCount: blockCount) { block, _ in
            withUnsafeTemporaryAllocation(
                of: Float.self, capacity: max(1, router.scratchCount)
            ) { scratch in
                let first = block * blockRowCount
                for row in first..<min(rowCount, first + blockRowCount) {
                    router.add(
                        input + row * inputStride, scaledBy: 1, to: gates + (row + 1) * width,
                        scratch: scratch.baseAddress!)
                }
            }
        }
    }

    private func average(_ gates: UnsafeMutablePointer<Float>, rowCount: Int, width: Int) {
        for row in 1...rowCount { Vectors.add(gates + row * width, to: gates, count: width) }
        for index in 0..<width { gates[index] /= Float(rowCount) }
    }
}
