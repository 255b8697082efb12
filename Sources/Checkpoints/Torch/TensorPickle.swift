/// A machine that runs pickles of protocol 2 to 5 as far as state dicts need it.
///
/// Pickle is a language that can import and call anything. This machine has no call: a few names
/// stand for the making of a tensor, and every other name and every other instruction ends it.
///
/// What it makes is bounded: values and marks that it was told to keep are counted, containers nest
/// only so deep, and no container can hold itself.
///
/// Source: CPython's `pickletools`; torch's `torch/serialization.py`, 2.13.
struct TensorPickle {
    /// A state dict of a hundred thousand tensors has a pickle of some 30 MB.
    static let byteCountLimit = 64 << 20
    /// A tensor takes some 30 values and marks.
    static let valueCountLimit = 4 << 20
    /// A state dict inside a checkpoint, its metadata, and the shape of a tensor nest 4 deep.
    static let depthLimit = 32

    var reader: GGUFReader
    let path: String
    var stack: [PickleValue] = []
    var marks: [Int] = []
    var memo: [Int: PickleValue] = [:]
    /// Values and marks so far.
    private var valueCount = 0

    /// - Throws: `CheckpointError.malformed` for anything that isn't plain tensors, names and
    ///   numbers.
    static func value(
        of bytes: UnsafeRawBufferPointer, path: String
    ) throws(CheckpointError) -> PickleValue {
        guard bytes.count <= byteCountLimit else {
            throw .malformed(
                path: path,
                reason:
                    "its pickle has \(bytes.count) bytes, the limit is \(byteCountLimit): save the "
                    + "state dict alone")
        }
        var machine = TensorPickle(reader: GGUFReader(bytes, path: path), path: path)
        while let result = try machine.step() { if let value = result { return value } }
        throw .malformed(path: path, reason: "the pickle doesn't end")
    }

    private init(reader: GGUFReader, path: String) {
        self.reader = reader
        self.path = path
    }

    /// Runs one instruction.
    ///
    /// - Returns: the result inside an optional when it was the last.
    private mutating func step() throws(CheckpointError) -> PickleValue?? {
        let code = try reader.integer(UInt8.self, "an instruction of the pickle")
        if code == UInt8(ascii: ".") { return .some(.some(try pop())) }
        if try pushConstant(code) { return .some(nil) }
        if try changeContainer(code) { return .some(nil) }
        if try remember(code) { return .some(nil) }
        switch code {
        case 0x80: try reader.skip(1, "the pickle")
        case 0x95: try reader.skip(8, "the pickle")
        case UInt8(ascii: "c"): try pushGlobal(module: try line(), name: try line())
        case 0x93:
            let (name, module) = (try pop(), try pop())
            guard case .text(let name) = name, case .text(let module) = module else {
                throw refused("a name that is no text")
            }
            try pushGlobal(module: module, name: name)
        case UInt8(ascii: "R"):
            let arguments = try tuple(try pop())
            let callee = try pop()
            try push(try make(callee, arguments))
        case UInt8(ascii: "b"): _ = try pop()
        case UInt8(ascii: "Q"):
            let items = try tuple(try pop())
            try push(try storage(items))
        default:
            throw refused("instruction \(code) at byte \(reader.offset - 1)")
        }
        return .some(nil)
    }

    private mutating func pushGlobal(module: String, name: String) throws(CheckpointError) {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw refused("'\(CheckpointError.shown(module)).\(CheckpointError.shown(name))'")
        }
        try push(.global(global))
    }

    private mutating func line() throws(CheckpointError) -> String {
        var bytes: [UInt8] = []
        while true {
            let byte = try reader.integer(UInt8.self, "a name in the pickle")
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
    }

    mutating func push(_ value: PickleValue) throws(CheckpointError) {
        try count()
        stack.append(value)
    }

    /// Counts one thing more that takes memory.
    mutating func count() throws(CheckpointError) {
        valueCount += 1
        guard valueCount <= Self.valueCountLimit else {
            throw refused("more than \(Self.valueCountLimit) values")
        }
    }

    mutating func pop() throws(CheckpointError) -> PickleValue {
        guard let value = stack.popLast(), stack.count >= marks.last ?? 0 else {
            throw .malformed(path: path, reason: "the pickle takes more values than it has")
        }
        return value
    }

    mutating func popToMark() throws(CheckpointError) -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else {
            throw .malformed(path: path, reason: "the pickle has no mark where it needs one")
        }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    func tuple(_ value: PickleValue) throws(CheckpointError) -> [PickleValue] {
        guard case .tuple(let items, _) = value else {
            throw refused("arguments that are no tuple")
        }
        return items
    }

    func refused(_ what: String) -> CheckpointError {
        .malformed(
            path: path,
            reason:
                "the pickle holds \(what), and only tensors by name are read: save the state dict "
                + "alone")
    }
}

// What stands for a call.
extension TensorPickle {
    private func make(
        _ callee: PickleValue, _ arguments: [PickleValue]
    ) throws(CheckpointError) -> PickleValue {
        guard case .global(let global) = callee else { throw refused("a call of no name") }
        switch global {
        case .orderedDictionary where arguments.isEmpty: return .dictionary(PickleDictionary())
        case .rebuildParameter:
            guard case .tensor? = arguments.first else { break }
            return arguments[0]
        case .rebuildTensor:
            guard arguments.count >= 4, case .storage(let storage) = arguments[0],
                case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
                let strides = integers(arguments[3]), shape.count == strides.count
            else { break }
            return .tensor(
                PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides))
        default: break
        }
        throw refused("a value that can't be made")
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let items, _) = value else { return nil }
        let numbers = items.compactMap { if case .integer(let number) = $0 { number } else { nil } }
        return numbers.count == items.count ? numbers : nil
    }

    /// ('storage', type, key, place, element count).
    private func storage(_ items: [PickleValue]) throws(CheckpointError) -> PickleValue {
        guard items.count == 5, case .text("storage") = items[0],
            case .global(.storage(let type)) = items[1], case .text(let key) = items[2],
            case .integer(let count) = items[4], count >= 0
        else { throw refused("a storage of an unknown kind") }
        return .storage(PickleStorage(key: key, elementType: type, elementCount: count))
    }
}
