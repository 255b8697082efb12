/// One tensor of a GGUF file; the offset counts from the beginning of the data.
struct GGUFTensorEntry {
    let name: String
    let type: GGUFTensorType
    /// Row-major, slowest dimension first (the file stores the reverse).
    let shape: [Int]
    let offset: Int
    let byteCount: Int
}

extension GGUFReader {
    static let maximumDimensionCount = 4
    /// The specification's limit on the length of a tensor's name.
    static let maximumTensorNameByteCount = 64

    /// Reads the description of one tensor.
    mutating func tensorEntry(alignment: Int) throws(CheckpointError) -> GGUFTensorEntry {
        let name = try text("a tensor's name")
        guard (1...Self.maximumTensorNameByteCount).contains(name.utf8.count),
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            throw .invalidTensor(
                name, reason: "names must have 1 to 64 bytes without control characters", path: path
            )
        }
        let shape = try shape(name)
        let type = try tensorType(name)
        let offset = try count("offset of tensor '\(name)'")
        guard offset % alignment == 0 else {
            throw .invalidTensor(
                name, reason: "offset \(offset) is not a multiple of the alignment, \(alignment)",
                path: path)
        }
        return GGUFTensorEntry(
            name: name, type: type, shape: shape, offset: offset,
            byteCount: try byteCount(name, shape, type))
    }

    private mutating func shape(_ name: String) throws(CheckpointError) -> [Int] {
        let rank = try integer(UInt32.self, "rank of tensor '\(name)'")
        guard rank <= Self.maximumDimensionCount else {
            throw .invalidTensor(
                name, reason: "rank \(rank) > \(Self.maximumDimensionCount)", path: path)
        }
        var dimensions: [Int] = []
        for _ in 0..<rank {
            let dimension = try integer(Int64.self, "shape of tensor '\(name)'")
            guard dimension > 0, dimension <= 1 << 40 else {
                throw .invalidTensor(
                    name, reason: "dimension \(dimension) is not between 1 and 2^40", path: path)
            }
            dimensions.append(Int(dimension))
        }
        return dimensions.reversed()
    }

    private mutating func tensorType(_ name: String) throws(CheckpointError) -> GGUFTensorType {
        let number = try integer(UInt32.self, "type of tensor '\(name)'")
        guard let type = GGUFTensorType(number) else {
            throw .invalidTensor(name, reason: "unknown type number \(number)", path: path)
        }
        return type
    }

    private func byteCount(
        _ name: String, _ shape: [Int], _ type: GGUFTensorType
    ) throws(CheckpointError) -> Int {
        let rowCount = shape.last ?? 1
        guard rowCount % type.blockElementCount == 0 else {
            throw .invalidTensor(
                name,
                reason: "rows of \(rowCount) elements are not whole \(type.name) blocks of "
                    + "\(type.blockElementCount)", path: path)
        }
        guard let elementCount = CheckedArithmetic.elementCount(shape),
            let byteCount = CheckedArithmetic.product(
                elementCount / type.blockElementCount, type.blockByteCount)
        else { throw .invalidTensor(name, reason: "shape overflows", path: path) }
        return byteCount
    }
}
