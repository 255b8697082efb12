import Checkpoints
import Kernels

/// Logits of some prompts as a reference computed them.
///
/// **Source**: the file that `tools/reference export` writes: for each prompt N from 0 on,
/// `tokens.N` (I64, [tokens]) and `logits.N` (F32, [tokens, vocabulary]).
struct ReferenceLogits {
    /// A prompt and what is to follow each of its tokens.
    struct Prompt {
        let tokens: [Int32]
        /// Log-probabilities, [tokens, vocabulary] flat.
        let logprobs: [Float]
    }

    let path: String
    let prompts: [Prompt]
    let vocabularyCount: Int
    /// How far the reference's own run in the base's type is from f32 arithmetic: the largest
    /// difference of a log-probability. Nil for f32 bases.
    let distance: Float?

    /// - Parameter vocabularyCount: the adapter's.
    /// - Throws: `CheckpointError` for a file that is no safetensors file, `ReferenceError` for
    ///   other tensors than those above.
    init(path: String, vocabularyCount: Int) throws {
        let file = try SafetensorsFile(path: path)
        self.path = path
        self.vocabularyCount = vocabularyCount
        distance = try file.metadata["reference_distance"].map { text in
            guard let value = Float(text), value >= 0, value.isFinite else {
                throw ReferenceError.badDistance(text, path: path)
            }
            return value
        }
        var prompts: [Prompt] = []
        while let tokens = file.tensor("tokens.\(prompts.count)") {
            let logits = try file.requiredTensor("logits.\(prompts.count)")
            prompts.append(try Self.prompt(tokens, logits, vocabularyCount))
        }
        guard !prompts.isEmpty else { throw ReferenceError.noPrompts(path: path) }
        self.prompts = prompts
    }

    private static func prompt(
        _ tokens: TensorView, _ logits: TensorView, _ vocabularyCount: Int
    ) throws -> Prompt {
        guard tokens.elementType == .i64, tokens.shape.count == 1, tokens.elementCount > 0 else {
            throw ReferenceError.badTensor(tokens, expected: "I64 of shape [tokens]")
        }
        let shape = [tokens.elementCount, vocabularyCount]
        guard logits.elementType == .f32, logits.shape == shape else {
            throw ReferenceError.badTensor(logits, expected: "F32 of shape \(shape)")
        }
        let scores = try logits.floats()
        guard scores.allSatisfy(\.isFinite) else {
            throw ReferenceError.badTensor(logits, expected: "finite logits")
        }
        let values = try tokens.content().withUnsafeBytes { bytes in
            (0..<tokens.elementCount).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)
            }
        }
        guard values.allSatisfy({ (0..<Int64(vocabularyCount)).contains($0) }) else {
            throw ReferenceError.badTensor(
                tokens, expected: "token ids of 0 to \(vocabularyCount - 1)")
        }
        return Prompt(
            tokens: values.map { Int32($0) },
            logprobs: logprobs(scores, vocabularyCount))
    }

    /// Each row minus the logarithm of its sum of exponentials.
    private static func logprobs(_ logits: [Float], _ vocabularyCount: Int) -> [Float] {
        stride(from: 0, to: logits.count, by: vocabularyCount).flatMap { start in
            let row = Array(logits[start..<start + vocabularyCount])
            let sum = Vectors.logSumExp(row, count: row.count)
            return row.map { $0 - sum }
        }
    }
}

/// Why a file of reference logits can't be used.
enum ReferenceError: Error, Equatable, CustomStringConvertible {
    case noPrompts(path: String)
    case badTensor(name: String, found: String, expected: String, path: String)
    case badDistance(String, path: String)

    static func badTensor(_ tensor: TensorView, expected: String) -> ReferenceError {
        .badTensor(
            name: tensor.name, found: "\(tensor.elementType.rawValue) \(tensor.shape)",
            expected: expected, path: tensor.owner.path)
    }

    var description: String {
        switch self {
        case .noPrompts(let path):
            "\(path) has no tensor 'tokens.0': write it with tools/reference export"
        case .badTensor(let name, let found, let expected, let path):
            "\(path): tensor '\(name)' is \(found), expected \(expected): "
                + "was it exported with this base?"
        case .badDistance(let text, let path):
            "\(path): metadata 'reference_distance' is '\(text)', expected a number of 0 or more"
        }
    }
}
