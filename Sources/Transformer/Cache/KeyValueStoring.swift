import Kernels

/// Turns a step's queries and keys by their positions and writes keys and values into their pages,
/// shared out among the workers.
///
/// An object, so that a step allocates nothing.
final class KeyValueStoring: WorkerJob {
    /// Where a row's key and value go.
    struct Place: BitwiseCopyable {
        let page: Int32
        let slot: Int
    }

    /// Where a row's position is, and the tables of the rotary embedding.
    struct Rotation: BitwiseCopyable {
        let positions: UnsafeBufferPointer<Int32>
        let cosines: UnsafePointer<Float>
        let sines: UnsafePointer<Float>
        /// As `RotarySpec` has them.
        let dimension: Int
        let isInterleaved: Bool
    }

    private struct Work: BitwiseCopyable {
        let places: UnsafeBufferPointer<Place>
        let rotation: Rotation?
        let queries: RowBuffer
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

    /// - Parameters:
    ///   - places: one for each row.
    ///   - rotation: nil: positions turn nothing.
    func run(
        _ places: [Place], _ rotation: Rotation?, _ buffers: StepBuffers, layer: Int,
        pages: KeyValuePageView, pool: WorkerPool
    ) {
        places.withUnsafeBufferPointer { places in
            work = Work(
                places: places, rotation: rotation, queries: buffers.queries, keys: buffers.keys,
                values: buffers.values, layer: layer, pages: pages)
            pool.run(
                taskCount: (places.count + Self.taskRowCount - 1) / Self.taskRowCount, self)
            work = nil
        }
    }

    override func perform(task: Int, worker: Int) {
        guard let work else { return }
        let first = task * Self.taskRowCount
        for row in first..<min(first + Self.taskRowCount, work.places.count) {
            let place = work.places[row]
            if let rotation = work.rotation {
                turn(work.queries, row, rotation)
                turn(work.keys, row, rotation)
            }
            Attention.storeKeyValue(
                key: work.keys.row(row), value: work.values.row(row), slot: place.slot,
                page: work.pages.page(place.page, layer: work.layer), shape: shape)
        }
    }

    private func turn(_ heads: RowBuffer, _ row: Int, _ rotation: Rotation) {
        let entry = Int(rotation.positions[row]) * rotation.dimension / 2
        Vectors.rotary(
            heads.row(row), headCount: heads.width / shape.headDimension,
            headDimension: shape.headDimension, rotaryDimension: rotation.dimension,
            isInterleaved: rotation.isInterleaved, cosines: rotation.cosines + entry,
            sines: rotation.sines + entry)
    }
}
