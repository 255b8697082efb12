/// The tensors of a GGUF file under Hugging Face's names.
struct TranslatedGGUF: TensorSource {
    /// Where a tensor lies.
    private struct Place {
        let stored: String
        /// Some of the rows of a tensor that holds several modules; nil: all.
        var rows: Range<Int>?
    }

    private let file: GGUFFile
    private(set) var tensorNames: [String] = []
    /// By Hugging Face's name.
    private var places: [String: Place] = [:]

    /// - Parameter projectionRowCounts: rows of queries, keys and values.
    /// - Throws: `CheckpointError.unsupportedElementType` for the first tensor that can't be read.
    init(
        _ file: GGUFFile, _ names: GGUFTensorNames, projectionRowCounts: [Int]
    ) throws(CheckpointError) {
        self.file = file
        for stored in file.tensorNames where !GGUFTensorNames.ofConfiguration.contains(stored) {
            let view = try file.readableTensor(stored)
            guard names.joinsProjections(stored),
                view.shape.first == projectionRowCounts.reduce(0, +)
            else {
                try add(names.huggingFaceName(of: stored), Place(stored: stored))
                continue
            }
            var first = 0
            for (name, count) in zip(
                GGUFTensorNames.projections(of: stored), projectionRowCounts)
            {
                try add(
                    names.huggingFaceName(of: name),
                    Place(stored: stored, rows: first..<first + count))
                first += count
            }
        }
    }

    private mutating func add(_ name: String, _ place: Place) throws(CheckpointError) {
        guard places.updateValue(place, forKey: name) == nil else {
            throw .invalidTensor(
                place.stored, reason: "stored under two names", path: file.path)
        }
        tensorNames.append(name)
    }

    var path: String { file.path }
    var metadata: [String: String] { file.metadata }

    func tensor(_ name: String) -> TensorView? {
        guard let place = places[name], let view = file.tensor(place.stored) else { return nil }
        return (place.rows.map(view.rows) ?? view).renamed(name)
    }
}
