/// The tensors of a state dict that `torch.save` wrote: a zip archive with a pickle and the tensors'
/// bytes.
///
/// Nothing in the file is run: see `TensorPickle`. What torch before 1.6 wrote is no archive and isn't
/// read.
public struct TorchArchive {
    /// Under their names in the state dict, sorted.
    public let tensors: [TensorView]

    /// Mappings that training scripts put around the state dict.
    private static let wrappers = ["state_dict", "model_state_dict", "model", "module"]

    /// Reads the whole file.
    ///
    /// - Throws: `CheckpointError.malformed` for an archive without a state dict, or with anything but
    ///   tensors by name in it.
    public init(file: MappedFile) throws(CheckpointError) {
        defer { withExtendedLifetime(file) {} }
        let archive = try ZipArchive(file)
        let suffix = "/data.pkl"
        guard let name = archive.names.first(where: { $0.hasSuffix(suffix) }),
            let pickle = archive.bytes(of: name)
        else {
            throw .malformed(
                path: file.path, reason: "the archive has no pickle: torch didn't save it")
        }
        let folder = String(name.dropLast("data.pkl".count))
        if let order = archive.bytes(of: folder + "byteorder"), !order.elementsEqual("little".utf8)
        {
            throw .malformed(path: file.path, reason: "it was saved on a big-endian machine")
        }
        let value = try TensorPickle.value(of: pickle, path: file.path)
        var tensors: [TensorView] = []
        for (name, tensor) in try Self.stateDict(value, path: file.path) {
            let bytes = archive.bytes(of: folder + "data/" + tensor.storage.key)
            tensors.append(
                try TensorView(
                    name: name, elementType: tensor.storage.elementType, shape: tensor.shape,
                    copying: try Self.bytes(tensor, of: bytes, name: name, path: file.path),
                    path: file.path))
        }
        self.tensors = tensors.sorted { $0.name < $1.name }
    }

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
        return tensors
    }

    /// The elements in row-major order.
    private static func bytes(
        _ tensor: PickleTensor, of storage: UnsafeRawBufferPointer?, name: String, path: String
    ) throws(CheckpointError) -> [UInt8] {
        let width = tensor.storage.elementType.blockByteCount
        guard let storage, storage.count == tensor.storage.elementCount * width else {
            throw .invalidTensor(
                name, reason: "its data are not in the archive, or of another size", path: path)
        }
        guard tensor.shape.allSatisfy({ $0 >= 0 }), tensor.strides.allSatisfy({ $0 >= 0 }),
            let count = CheckedArithmetic.elementCount(tensor.shape), tensor.offset >= 0,
            count == 0 || isInside(tensor)
        else {
            throw .invalidTensor(name, reason: "it lies outside of its data", path: path)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * width)
        for index in 0..<count {
            let start = place(of: index, tensor) * width
            bytes += storage[start..<(start + width)]
        }
        return bytes
    }

    private static func isInside(_ tensor: PickleTensor) -> Bool {
        var last = tensor.offset
        var copies = 1
        for (size, stride) in zip(tensor.shape, tensor.strides) {
            guard let span = CheckedArithmetic.product(size - 1, stride),
                let next = CheckedArithmetic.sum(last, span)
            else { return false }
            last = next
            // An expanded tensor may be far larger than its data; a state dict has none.
            if stride == 0 { copies *= size }
            if copies > 1 { return false }
        }
        return last < tensor.storage.elementCount
    }

    private static func place(of index: Int, _ tensor: PickleTensor) -> Int {
        var (rest, place) = (index, tensor.offset)
        for (size, stride) in zip(tensor.shape, tensor.strides).reversed() {
            place += rest % size * stride
            rest /= size
        }
        return place
    }
}
