/// A tensor inside a mapped file.
///
/// `@unchecked Sendable`: all properties are constants, and `bytes` points into the read-only
/// mapping that `owner` keeps alive.
public struct TensorView: @unchecked Sendable {
    public let name: String
    public let elementType: ElementType
    /// Row-major, slowest dimension first.
    public let shape: [Int]
    /// The stored bytes, not necessarily aligned; valid as long as `owner` lives.
    public let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` mapped.
    public let owner: MappedFile

    init(
        name: String, elementType: ElementType, shape: [Int], bytes: UnsafeRawBufferPointer,
        owner: MappedFile
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
    }

    /// A tensor of values that were computed, or come from no file that can be mapped.
    ///
    /// - Parameter path: where they come from, for messages.
    /// - Throws: `CheckpointError.unreadable` when there is no memory for the copy.
    package init(
        name: String, elementType: ElementType, shape: [Int], copying bytes: [UInt8], path: String
    ) throws(CheckpointError) {
        let owner = try MappedFile(copying: bytes, path: path)
        self.init(
            name: name, elementType: elementType, shape: shape, bytes: owner.bytes, owner: owner)
    }

    /// A tensor of zeros, which take no memory.
    ///
    /// - Throws: `CheckpointError.unreadable` when there is no room for them, or no such number of
    ///   bytes.
    package init(
        name: String, elementType: ElementType, zerosOfShape shape: [Int], path: String
    ) throws(CheckpointError) {
        guard let count = CheckedArithmetic.elementCount(shape),
            let byteCount = CheckedArithmetic.product(
                count / elementType.blockElementCount, elementType.blockByteCount)
        else { throw .unreadable(path: path, reason: "its shape overflows") }
        let owner = try MappedFile(byteCount: byteCount, path: path) { _ in }
        self.init(
            name: name, elementType: elementType, shape: shape, bytes: owner.bytes, owner: owner)
    }

    /// How many elements the shape holds.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The same tensor under another name.
    package func renamed(_ name: String) -> TensorView {
        TensorView(name: name, elementType: elementType, shape: shape, bytes: bytes, owner: owner)
    }

    /// Some of the rows, which hold whole blocks.
    func rows(_ range: Range<Int>) -> TensorView {
        let byteCount = bytes.count / shape[0]
        let part = range.lowerBound * byteCount..<range.upperBound * byteCount
        return TensorView(
            name: name, elementType: elementType, shape: [range.count] + shape.dropFirst(),
            bytes: UnsafeRawBufferPointer(rebasing: bytes[part]), owner: owner)
    }

    /// All elements in order, as f32. F64 is rounded to nearest, and blocks have the values that
    /// gguf-py gives them.
    ///
    /// - Throws: `CheckpointError.unsupportedElementType` for integers, and floats of 8 bits.
    public func floats() throws(CheckpointError) -> [Float] {
        guard let widen = FloatReader(elementType) else {
            throw .unsupportedElementType(
                elementType.rawValue, tensor: name, supported: "F32, F16, BF16 and F64",
                path: owner.path)
        }
        let count = elementCount
        let copy = try owner.copy(of: bytes)
        defer { withExtendedLifetime(copy) {} }
        return [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            widen.read(copy.bytes, count: count, into: buffer.baseAddress)
            initializedCount = count
        }
    }

    /// Copies some of the stored bytes, without touching the mapping of a file that may
    /// change.
    ///
    /// - Parameters:
    ///   - offset: where they begin.
    ///   - memory: no longer than what is behind.
    /// - Throws: `CheckpointError.malformed` where the file is no longer what was opened.
    public func read(
        from offset: Int = 0, into memory: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        let part = offset..<(offset + memory.count)
        try owner.read(UnsafeRawBufferPointer(rebasing: bytes[part]), into: memory)
    }

    /// A copy of all stored bytes.
    ///
    /// - Throws: as `read(from:into:)`.
    package func content() throws(CheckpointError) -> [UInt8] {
        var failure: CheckpointError?
        let content = [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<bytes.count])
            do throws(CheckpointError) {
                try read(into: memory)
                count = memory.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return content
    }

    /// Whether another tensor has the same type, shape and bytes.
    ///
    /// - Throws: `CheckpointError.malformed` where a file is no longer what was opened.
    package func hasSameContent(as other: TensorView) throws(CheckpointError) -> Bool {
        guard elementType == other.elementType, shape == other.shape,
            bytes.count == other.bytes.count
        else { return false }
        let partByteCount = 4 << 20
        for start in stride(from: 0, to: bytes.count, by: partByteCount) {
            let range = start..<min(bytes.count, start + partByteCount)
            let own = try owner.copy(of: UnsafeRawBufferPointer(rebasing: bytes[range]))
            let others = try other.owner.copy(
                of: UnsafeRawBufferPointer(rebasing: other.bytes[range]))
            let areSame = withExtendedLifetime((own, others)) {
                own.bytes.elementsEqual(others.bytes)
            }
            guard areSame else { return false }
        }
        return true
    }

    /// Infinities and NaN among the elements; nil when all are finite, and for types that have
    /// none.
    ///
    /// - Complexity: O(element count).
    public func nonFiniteSummary() -> NonFiniteSummary? {
        guard let reader = FloatReader(elementType) else { return nil }
        defer { withExtendedLifetime(owner) {} }
        guard !reader.areFinite(bytes) else { return nil }
        var count = 0
        var first = 0
        for index in 0..<elementCount where !reader.isFinite(bytes, at: index) {
            if count == 0 { first = index }
            count += 1
        }
        return NonFiniteSummary(count: count, first: place(of: first))
    }

    private func place(of index: Int) -> [Int] {
        var rest = index
        var place: [Int] = []
        for dimension in shape.reversed() {
            place.append(rest % dimension)
            rest /= dimension
        }
        return place.reversed()
    }
}

/// How many elements of a tensor are infinite or NaN.
public struct NonFiniteSummary: Sendable, Equatable, CustomStringConvertible {
    public let count: Int
    /// Where the first of them stands, slowest dimension first.
    public let first: [Int]

    public init(count: Int, first: [Int]) {
        self.count = count
        self.first = first
    }

    public var description: String {
        let place = first.map(String.init).joined(separator: ",")
        return "\(count) non-finite value\(count == 1 ? "" : "s") (first at [\(place)])"
    }
}
