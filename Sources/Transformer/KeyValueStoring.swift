import Kernels

/// Writes a step's keys and values into their pages, shared out among the workers.
///
/// An object, so that a step allocates nothing.
final class KeyValueStoring: WorkerJob {
    /// Where a row's key and value go.
    struct Place: BitwiseCopyable {
        let page: Int32
        let slot: Int
    }

    private struct Work: BitwiseCopyable {
        let places: UnsafeBufferPointer<Place>
        let keys: RowBuffer
        let values: RowBuffer
        let layer: Int
        let pages: KeyValuePageView
    }

    /// Rows of a task: some microseconds.
    private static let taskRowCount = 4

    private let shape: AttentionShape
    private var work: Work?

    init(shape: AttentionShape) {
        self.shape = shape
    }

    /// - Parameter places: one for each row.
    func run(
        _ places: [Place], keys: RowBuffer, values: RowBuffer, layer: Int, pages: KeyValuePageView,
        pool: WorkerPool
    ) {
        places.withUnsafeBufferPointer { places in
            work = Work(
                places: places, keys: keys, values: values, layer: layer, pages: pages)
            pool.run(
                taskCount: (places.count + Self.taskRowCount - 1) / Self.taskRowCount, self)
            work = nil
        }
    }

    override func perform(task: Int, worker: Int) {
        guard let work else { return }
        let first = task * Self.taskRowCount
        for row in first..<min(work.places.count, first + Self.taskRowCount) {
            let place = work.places[row]
            Attention.storeKeyValue(
                key: work.keys.row(row), value: work.values.row(row), slot: place.slot,
                page: work.pages.page(place.page, layer: work.layer), shape: shape)
        }
    }
}
