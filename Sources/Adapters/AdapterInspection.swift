internal import Checkpoints
public import StrictJSON

/// What an adapter's files say, without a base to attach it to.
public struct AdapterInspection: Sendable {
    /// PEFT's spelling of the method.
    public let peftType: String
    /// True when this version can serve the method.
    public let isSupported: Bool
    /// SHA-256 of the content, in hexadecimal.
    public let hash: String
    /// The configuration as saved.
    public let configuration: JSONObject
    public let tensors: [Tensor]

    public struct Tensor: Sendable {
        public let name: String
        /// Row-major.
        public let shape: [Int]
        /// As the file spells it.
        public let type: String
    }

    /// - Parameter path: a PEFT directory or a `.lora`.
    /// - Throws: `AdapterError`.
    public init(path: String) throws(AdapterError) {
        let file = try AdapterFile.open(path, options: AdapterOptions())
        peftType = file.peftType
        isSupported = (try? Methods.reader(of: file.peftType, file: path)) != nil
        hash = file.contentHash
        configuration = file.configuration.object
        let experts = file.experts.flatMap { expert in
            expert.file.tensors.map { $0.renamed("\(expert.name)/\($0.name)") }
        }
        tensors = (file.tensors + experts).map {
            Tensor(name: $0.name, shape: $0.shape, type: $0.elementType.rawValue)
        }
    }

    /// Trained values in the file.
    public var parameterCount: Int { tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }

    /// The ranks of its low-rank factors, smallest first; empty where it has none.
    public var ranks: [Int] {
        let ranks = tensors.compactMap { tensor -> Int? in
            tensor.name.hasSuffix("lora_A.weight") || tensor.name.hasSuffix("lora_embedding_A")
                ? tensor.shape.first : nil
        }
        return Set(ranks).sorted()
    }
}
