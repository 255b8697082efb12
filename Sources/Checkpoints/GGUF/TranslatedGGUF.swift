/// The tensors of a GGUF file under Hugging Face's names.
struct TranslatedGGUF: TensorSource {
    private let file: GGUFFile
    let tensorNames: [String]
    /// Hugging Face's name → GGUF's.
    private let storedNames: [String: String]

    /// - Throws: `CheckpointError.unsupportedElementType` for the first tensor that can't be read.
    init(_ file: GGUFFile, _ names: GGUFTensorNames) throws(CheckpointError) {
        var tensorNames: [String] = []
        var storedNames: [String: String] = [:]
        for stored in file.tensorNames where !GGUFTensorNames.ofConfiguration.contains(stored) {
            _ = try file.readableTensor(stored)
            let name = names.huggingFaceName(of: stored)
            guard storedNames.updateValue(stored, forKey: name) == nil else {
                throw .invalidTensor(stored, reason: "stored under two names", path: file.path)
            }
            tensorNames.append(name)
        }
        self.file = file
        self.tensorNames = tensorNames
        self.storedNames = storedNames
    }

    var path: String { file.path }
    var metadata: [String: String] { file.metadata }

    func tensor(_ name: String) -> TensorView? {
        storedNames[name].flatMap { file.tensor($0)?.renamed(name) }
    }
}
