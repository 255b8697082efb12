/// Where the elements of a tensor lie in its storage.
///
/// A storage may be seen through strides, as that of a transposed matrix is; views in which two
/// elements are one, as of expanded tensors, are refused, so that no tensor is larger than its
/// data.
struct TorchTensorData {
    let name: String
    let tensor: PickleTensor
    let file: MappedFile

    /// The elements in row-major order: a part of the file where they lie so, else a copy.
    ///
    /// - Parameters:
    ///   - storage: where the tensor's data lie in the file; nil where they aren't there.
    ///   - byteCount: how many bytes it may take.
    /// - Throws: `CheckpointError.invalidTensor`.
    func view(
        of storage: Range<Int>?, atMost byteCount: Int
    ) throws(CheckpointError) -> TensorView {
        let type = tensor.storage.elementType
        let width = type.blockByteCount
        guard let storage,
            CheckedArithmetic.product(tensor.storage.elementCount, width) == storage.count
        else { throw refused("its data are not in the archive, or of another size") }
        guard tensor.shape.count <= TorchArchive.dimensionLimit else {
            throw refused(
                "has \(tensor.shape.count) dimensions, the limit is \(TorchArchive.dimensionLimit)")
        }
        guard tensor.shape.allSatisfy({ $0 >= 0 }), tensor.strides.allSatisfy({ $0 >= 0 }),
            tensor.offset >= 0, let count = CheckedArithmetic.elementCount(tensor.shape),
            count == 0 || isInside
        else { throw refused("it lies outside of its data") }
        guard count == 0 || !overlaps else {
            throw refused("two of its elements are one: save it with .contiguous()")
        }
        // No more elements than the storage has, so that this is no more than the file.
        guard count * width <= byteCount else {
            throw refused(
                "the file's tensors share data, and together have more than "
                    + "\(TorchArchive.sharingLimit) times its bytes: save each once")
        }
        guard count == 0 || isContiguous else {
            return try TensorView(
                name: name, elementType: type, shape: tensor.shape,
                copying: gathered(storage, count: count, width: width), path: file.path)
        }
        let start = storage.lowerBound + (count == 0 ? 0 : tensor.offset * width)
        return TensorView(
            name: name, elementType: type, shape: tensor.shape,
            bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + count * width)]),
            owner: file)
    }

    private func refused(_ reason: String) -> CheckpointError {
        .invalidTensor(name, reason: reason, path: file.path)
    }

    /// Whether the last element is one of the storage's. All sizes are above 0.
    private var isInside: Bool {
        var last = tensor.offset
        for (size, stride) in zip(tensor.shape, tensor.strides) {
            guard let span = CheckedArithmetic.product(size - 1, stride),
                let next = CheckedArithmetic.sum(last, span)
            else { return false }
            last = next
        }
        return last < tensor.storage.elementCount
    }

    /// Dimensions of more than one element, the widest stride last.
    private var dimensions: [(size: Int, stride: Int)] {
        zip(tensor.shape, tensor.strides).filter { $0.0 > 1 }.map { (size: $0.0, stride: $0.1) }
            .sorted { ($0.stride, $0.size) < ($1.stride, $1.size) }
    }

    /// Whether a step in one dimension may lead to where steps in the narrower ones lead, too. The
    /// tensor is inside of its storage.
    private var overlaps: Bool {
        var reach = 0
        for (size, stride) in dimensions {
            guard stride > reach else { return true }
            reach += (size - 1) * stride
        }
        return false
    }

    /// Whether the elements lie in row-major order, one after the other.
    private var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(tensor.shape, tensor.strides).reversed() where size > 1 {
            guard stride == expected else { return false }
            expected *= size
        }
        return true
    }

    private func gathered(_ storage: Range<Int>, count: Int, width: Int) -> [UInt8] {
        let stored = file.bytes[storage]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * width)
        for index in 0..<count {
            let start = stored.startIndex + place(of: index) * width
            bytes += stored[start..<(start + width)]
        }
        return bytes
    }

    /// The place of an element in the storage, from its place in row-major order.
    private func place(of index: Int) -> Int {
        var (rest, place) = (index, tensor.offset)
        for (size, stride) in zip(tensor.shape, tensor.strides).reversed() {
            place += rest % size * stride
            rest /= size
        }
        return place
    }
}
