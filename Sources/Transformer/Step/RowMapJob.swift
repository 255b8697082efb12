package import Kernels

/// Maps of rows that can run at the same time, shared out among the workers as one job.
///
/// A task is a row or a few under all their maps, in order, so that a row's additions have one
/// order. Used again for job after job, it allocates only when it is larger than all before.
package final class RowMapJob: WorkerJob {
    private struct Entry: BitwiseCopyable {
        let view: LinearView
        let places: Places
        let input: UnsafePointer<Float>
        let inputStride: Int
        let output: UnsafeMutablePointer<Float>
        let outputStride: Int
        let state: UnsafePointer<Float>?
        let stateStride: Int
        let rowCount: Int
        /// Rows that the maps take together; 1: one after the other.
        let groupRowCount: Int
    }

    /// Which maps of a slot run.
    struct Places: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        static let input = Places(.input)
        static let output = Places(.output)
        static let update = Places(.update)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(_ place: AdapterPlan.PlacedMap.Place) { rawValue = 1 << place.rawValue }

        /// True for maps of what the output is by then, so that they take a copy of it.
        var takesOutput: Bool { contains(.output) }
    }

    /// Rows of a task where there are many.
    private static let taskRowCount = 4
    /// Up to this many rows, each is a task.
    private static let fewRowCount = 16
    private let pool: WorkerPool
    private var entries: [Entry] = []
    private var scratch = AlignedBuffer<Float>(count: 0)
    /// Floats of each worker.
    private var workerCount = 0

    init(pool: WorkerPool) {
        self.pool = pool
    }

    /// Adds rows whose maps at `places` (of one kind: of the input, or of the output) run.
    ///
    /// - Parameter state: of the first row, and how far those of the next ones are.
    func add(
        _ view: LinearView, _ places: Places, rowCount: Int, input: UnsafePointer<Float>,
        inputStride: Int, output: UnsafeMutablePointer<Float>, outputStride: Int,
        state: (first: UnsafePointer<Float>, stride: Int)? = nil
    ) {
        guard var groupRowCount = groupRowCount(view, places) else { return }
        // A state belongs to one row.
        if state != nil { groupRowCount = 1 }
        let taskRowCount =
            rowCount <= Self.fewRowCount ? groupRowCount : max(Self.taskRowCount, groupRowCount)
        var first = 0
        while first < rowCount {
            let count = min(taskRowCount, rowCount - first)
            entries.append(
                Entry(
                    view: view, places: places, input: input + first * inputStride,
                    inputStride: inputStride, output: output + first * outputStride,
                    outputStride: outputStride, state: state.map { $0.first + first * $0.stride },
                    stateStride: state?.stride ?? 0, rowCount: count,
                    groupRowCount: groupRowCount))
            first += count
        }
    }

    /// Rows that the maps at `places` take together; nil where there are none.
    private func groupRowCount(_ view: LinearView, _ places: Places) -> Int? {
        var count: Int?
        for index in 0..<view.mapCount where places.contains(Places(view.maps![index].place)) {
            // Maps one after another take a row through all of them before the next.
            if count != nil { return 1 }
            count = view.maps![index].map._withUnsafeGuaranteedRef { $0.groupRowCount }
        }
        return count
    }

    /// Runs all maps and forgets them.
    func run() {
        guard !entries.isEmpty else { return }
        for entry in entries { workerCount = max(workerCount, scratchCount(entry.view)) }
        if scratch.count < workerCount * pool.threadCount {
            scratch = AlignedBuffer(count: workerCount * pool.threadCount)
        }
        pool.run(taskCount: entries.count, self)
        entries.removeAll(keepingCapacity: true)
    }

    /// Copies of outputs, then what the largest map needs.
    private func scratchCount(_ view: LinearView) -> Int {
        var count = 0
        for index in 0..<view.mapCount {
            let needed = view.maps![index].map._withUnsafeGuaranteedRef {
                $0.scratchCount + $0.inputCount * $0.groupRowCount
            }
            count = max(count, needed)
        }
        return (count + 15) / 16 * 16
    }

    package override func perform(task: Int, worker: Int) {
        let entry = entries[task]
        let own = scratch.pointer + worker * workerCount
        if entry.groupRowCount > 1 { return addTogether(entry, own) }
        for row in 0..<entry.rowCount { add(entry, row: row, own) }
    }

    /// Rows under their only map.
    private func addTogether(_ entry: Entry, _ own: UnsafeMutablePointer<Float>) {
        let count = entry.groupRowCount
        let view = entry.view.maps![firstIndex(entry)]
        view.map._withUnsafeGuaranteedRef { map in
            for first in stride(from: 0, to: entry.rowCount, by: count) {
                let rowCount = min(count, entry.rowCount - first)
                let output = entry.output + first * entry.outputStride
                var input = entry.input + first * entry.inputStride
                var inputStride = entry.inputStride
                if entry.places.takesOutput {
                    inputStride = map.inputCount
                    for row in 0..<rowCount {
                        (own + row * inputStride).update(
                            from: output + row * entry.outputStride, count: inputStride)
                    }
                    input = UnsafePointer(own)
                }
                map.add(
                    RowGroup(
                        input: input, inputStride: inputStride, output: output,
                        outputStride: entry.outputStride, rowCount: rowCount),
                    scaledBy: view.scale, scratch: own + map.inputCount * count)
            }
        }
    }

    private func add(_ entry: Entry, row: Int, _ own: UnsafeMutablePointer<Float>) {
        let output = entry.output + row * entry.outputStride
        for index in 0..<entry.view.mapCount {
            let view = entry.view.maps![index]
            guard entry.places.contains(Places(view.place)) else { continue }
            view.map._withUnsafeGuaranteedRef { map in
                var input = entry.input + row * entry.inputStride
                if entry.places.takesOutput {
                    // Maps of one place all take what was there before the first of them.
                    if index == firstIndex(entry) {
                        own.update(from: output, count: map.inputCount)
                    }
                    input = UnsafePointer(own)
                }
                let scratch = own + map.inputCount
                if let state = entry.state {
                    map.add(
                        input, state: state + row * entry.stateStride, scaledBy: view.scale,
                        to: output, scratch: scratch)
                } else {
                    map.add(input, scaledBy: view.scale, to: output, scratch: scratch)
                }
            }
        }
    }

    private func firstIndex(_ entry: Entry) -> Int {
        var index = 0
        while !entry.places.contains(Places(entry.view.maps![index].place)) { index += 1 }
        return index
    }
}
