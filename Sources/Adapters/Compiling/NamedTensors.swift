/// Tensors that are asked for by their whole names; what is taken is gone.
struct NamedTensors {
    private let file: String
    private var tensors: [String: AdapterTensor]
    /// Values that were taken.
    private(set) var parameterCount = 0

    init(_ file: AdapterFile) {
        self.file = file.tensorFile
        tensors = Dictionary(
            file.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func has(_ name: String) -> Bool { tensors[name] != nil }

    /// - Throws: `AdapterError.missingTensor`, `.wrongShape`, and what is wrong with values.
    mutating func take(
        _ name: String, shape: [Int], reason: String
    ) throws(AdapterError) -> [Float] {
        guard let tensor = tensors.removeValue(forKey: name) else {
            throw .missingTensor(name, reason: "the method consists of it", file: file)
        }
        guard tensor.shape == shape else {
            throw .wrongShape(
                tensor: name, expected: shape, found: tensor.shape, reason: reason, file: file)
        }
        let values = try tensor.floats(file: file)
        parameterCount += values.count
        return values
    }

    /// - Throws: `AdapterError.unknownTensor`.
    func checkNothingIsLeft() throws(AdapterError) {
        guard let name = tensors.keys.min() else { return }
        throw .unknownTensor(
            name, reason: "the method has no tensor of this name", file: file)
    }
}
