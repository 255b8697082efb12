/// What the pickle of a state dict may hold, and nothing else.
indirect enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    /// - Parameter depth: how deep containers nest in it, 1 where it holds none.
    case tuple([PickleValue], depth: Int)
    case list
    case dictionary(PickleDictionary)
    /// A name that the machine knows; nothing is ever imported or called.
    case global(PickleGlobal)
    case storage(PickleStorage)
    case tensor(PickleTensor)
}

/// The names that a state dict needs.
enum PickleGlobal: Equatable {
    case orderedDictionary
    case rebuildTensor
    case rebuildParameter
    case storage(ElementType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", _):
            guard let type = Self.storages[name] else { return nil }
            self = .storage(type)
        default: return nil
        }
    }

    private static let storages: [String: ElementType] = [
        "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
        "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
        "ByteStorage": .u8, "BoolStorage": .bool,
    ]
}

extension PickleValue {
    /// How deep containers nest: 0 for what holds nothing.
    var depth: Int {
        switch self {
        case .tuple(_, let depth): depth
        case .dictionary(let dictionary): dictionary.depth
        default: 0
        }
    }

    /// Ends the filling of a dictionary, as it becomes part of something.
    func seal() {
        if case .dictionary(let dictionary) = self { dictionary.isSealed = true }
    }
}

/// A mapping. It is filled before it becomes part of anything else, so that none can hold itself.
final class PickleDictionary {
    private(set) var entries: [(key: PickleValue, value: PickleValue)] = []
    private(set) var depth = 1
    /// True from when something holds it.
    fileprivate(set) var isSealed = false

    func append(_ key: PickleValue, _ value: PickleValue) {
        entries.append((key, value))
        depth = max(depth, key.depth + 1, value.depth + 1)
        key.seal()
        value.seal()
    }
}

/// Elements in a member of the archive.
struct PickleStorage {
    let key: String
    let elementType: ElementType
    let elementCount: Int
}

/// A view of a storage.
struct PickleTensor {
    let storage: PickleStorage
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
