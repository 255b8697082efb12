internal import StrictJSON

/// Checks the header's description of one tensor.
struct SafetensorsEntryReader {
    static let maximumRank = 8
    static let maximumDimension = 1 << 40
    static let maximumNameByteCount = 2048

    let name: String
    let path: String

    func entry(_ value: JSONValue) throws(CheckpointError) -> SafetensorsHeader.Entry {
        try checkName()
        guard let object = value.objectValue else {
            throw invalid("must be described by an object, found \(value.typeName)")
        }
        for key in object.keys where !["dtype", "shape", "data_offsets"].contains(key) {
            throw invalid("unknown field '\(CheckpointError.shown(key))'")
        }
        let elementType = try elementType(object["dtype"])
        let shape = try shape(object["shape"])
        let (begin, end) = try offsets(object["data_offsets"])
        try checkSize(elementType, shape, foundByteCount: end - begin)
        return SafetensorsHeader.Entry(
            name: name, elementType: elementType, shape: shape, begin: begin, end: end)
    }

    /// Whether `name` may name a tensor: short, not empty, without control characters.
    static func isLegalName(_ name: String) -> Bool {
        (1...maximumNameByteCount).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private func checkName() throws(CheckpointError) {
        guard Self.isLegalName(name) else {
            throw invalid(
                "invalid tensor name: 1 to \(Self.maximumNameByteCount) bytes without control "
                    + "characters are allowed")
        }
    }

    private func elementType(_ value: JSONValue?) throws(CheckpointError) -> ElementType {
        let legal = ElementType.safetensors.map(\.rawValue).joined(separator: ", ")
        guard let value else { throw invalid("dtype is missing; legal are \(legal)") }
        guard let text = value.stringValue else {
            throw invalid("dtype is \(value.typeName); legal are \(legal)")
        }
        guard let type = ElementType.safetensors.first(where: { $0.rawValue == text }) else {
            throw invalid("unknown dtype '\(CheckpointError.shown(text))'; legal are \(legal)")
        }
        return type
    }

    private func shape(_ value: JSONValue?) throws(CheckpointError) -> [Int] {
        guard let value else { throw invalid("shape is missing") }
        guard let elements = value.arrayValue else {
            throw invalid("shape is \(value.typeName), not an array of integers")
        }
        guard elements.count <= Self.maximumRank else {
            throw invalid("rank \(elements.count) > \(Self.maximumRank)")
        }
        var shape: [Int] = []
        var isHuge = false
        for element in elements {
            if case .unsigned = element {
                isHuge = true
                continue
            }
            guard let dimension = element.intValue, dimension >= 0 else {
                throw invalid("shape must hold integers from 0 on")
            }
            shape.append(dimension)
        }
        guard !isHuge, CheckedArithmetic.elementCount(shape) != nil else {
            throw invalid("shape overflows")
        }
        if let dimension = shape.first(where: { $0 > Self.maximumDimension }) {
            throw invalid("dimension \(dimension) exceeds limit 2^40")
        }
        return shape
    }

    private func offsets(_ value: JSONValue?) throws(CheckpointError) -> (Int, Int) {
        let numbers = value?.arrayValue?.map(\.intValue) ?? []
        guard numbers.count == 2, let begin = numbers[0], let end = numbers[1], 0 <= begin,
            begin <= end
        else { throw invalid("data_offsets must be 2 integers 0<=b<=e") }
        return (begin, end)
    }

    private func checkSize(
        _ type: ElementType, _ shape: [Int], foundByteCount: Int
    ) throws(CheckpointError) {
        guard let elementCount = CheckedArithmetic.elementCount(shape),
            let byteCount = CheckedArithmetic.product(elementCount, type.blockByteCount)
        else { throw invalid("shape overflows") }
        guard byteCount == foundByteCount else {
            let dimensions = shape.map(String.init).joined(separator: ",")
            throw invalid(
                "\(type.rawValue) [\(dimensions)] needs \(byteCount) bytes, has \(foundByteCount)")
        }
    }

    private func invalid(_ reason: String) -> CheckpointError {
        .invalidTensor(name, reason: reason, path: path)
    }
}
