/// The tensors of a state dict that `torch.save` wrote: a zip archive with a pickle and the
/// tensors' bytes.
///
/// Nothing in the file is run: see `TensorPickle`. What torch before 1.6 wrote is no archive and
/// isn't read. Tensors that share data, as tied weights do, may together have four times the bytes
/// of the file.
public struct TorchArchive {
    /// Under their names in the state dict, sorted.
    public let tensors: [TensorView]

    /// Mappings that training scripts put around the state dict.
    private static let wrappers = ["state_dict", "model_state_dict", "model", "module"]

    /// Tensors of state dicts have up to 5 dimensions (a convolution over volumes).
    static let dimensionLimit = 8
    /// How many times its own bytes a file's tensors may take: two names for one matrix are usual.
    static let sharingLimit = 4

    /// Reads the whole file.
    ///
    /// - Throws: `CheckpointError.malformed` for an archive without a state dict, with nothing or
    ///   with anything but tensors by name in it; `.invalidTensor` for one that doesn't lie in its
    ///   data.
    public init(file: MappedFile) throws(CheckpointError) {
        defer { withExtendedLifetime(file) {} }
        let archive = try ZipArchive(file)
        let folder = try Self.folder(of: archive, path: file.path)
        guard let pickle = archive.bytes(of: folder + Self.pickleName) else {
            throw .malformed(path: file.path, reason: "the archive has no pickle")
        }
        if let order = archive.bytes(of: folder + "byteorder"), !order.elementsEqual("little".utf8)
        {
            throw .malformed(path: file.path, reason: "it was saved on a big-endian machine")
        }
        let value = try TensorPickle.value(of: pickle, path: file.path)
        var tensors: [TensorView] = []
        var rest = CheckedArithmetic.product(file.bytes.count, Self.sharingLimit) ?? .max
        for (name, tensor) in try Self.stateDict(value, path: file.path) {
            let data = TorchTensorData(name: name, tensor: tensor, file: file)
            let view = try data.view(
                of: archive.range(of: folder + "data/" + tensor.storage.key), atMost: rest)
            rest -= view.bytes.count
            tensors.append(view)
        }
        self.tensors = tensors.sorted { $0.name < $1.name }
    }

    private static let pickleName = "data.pkl"

    /// The folder inside of the archive, with a slash at its end.
    private static func folder(
        of archive: ZipArchive, path: String
    ) throws(CheckpointError) -> String {
        let names = archive.names.filter { $0.hasSuffix("/" + pickleName) }
        guard let name = names.first else {
            throw .malformed(
                path: path, reason: "the archive has no pickle: torch didn't save it")
        }
        guard names.count == 1 else {
            throw .malformed(
                path: path,
                reason: "the archive has \(names.count) pickles, and torch saves one: '"
                    + CheckpointError.shown(names[0]) + "', '" + CheckpointError.shown(names[1])
                    + "'")
        }
        return String(name.dropLast(pickleName.count))
    }

    /// - Complexity: recursion is bounded by `TensorPickle.depthLimit`.
    private static func stateDict(
        _ value: PickleValue, path: String
    ) throws(CheckpointError) -> [String: PickleTensor] {
        guard case .dictionary(let dictionary) = value else {
            throw .malformed(path: path, reason: "it holds no state dict: save one with torch.save")
        }
        for (key, value) in dictionary.entries {
            guard case .text(let name) = key, case .dictionary = value, wrappers.contains(name)
            else { continue }
            return try stateDict(value, path: path)
        }
        var tensors: [String: PickleTensor] = [:]
        for (key, value) in dictionary.entries {
            guard case .text(let name) = key, case .tensor(let tensor) = value else {
                throw .malformed(
                    path: path,
                    reason: "it holds more than tensors by name: save the state dict alone")
            }
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw .invalidTensor(name, reason: "stored twice", path: path)
            }
        }
        guard !tensors.isEmpty else {
            throw .malformed(
                path: path, reason: "it holds no tensors: was anything trained when it was saved?")
        }
        guard tensors.count <= SafetensorsHeader.maximumTensorCount else {
            throw .malformed(
                path: path,
                reason: "too many tensors: \(tensors.count), the limit is "
                    + "\(SafetensorsHeader.maximumTensorCount)")
        }
        return tensors
    }
}
