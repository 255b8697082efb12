import CSentencePiece

/// A model loaded by libsentencepiece.
final class SentencePieceLibrary: Sendable {
    // Immutable after `init`; the library's encoder is a const function.
    nonisolated(unsafe) private let model: OpaquePointer

    /// Loads the bytes of a checked ModelProto.
    /// - Throws: `sentencePiece`.
    init(_ bytes: [UInt8]) throws(TokenizationError) {
        var model: OpaquePointer?
        let message = gsp_load(bytes, bytes.count, &model)
        guard let model else { throw Self.failure(message) }
        self.model = model
    }

    deinit { gsp_unload(model) }

    /// Appends the ids of a text to `tokens`, without special tokens.
    /// - Throws: `sentencePiece`.
    func encode(_ text: [UInt8], into tokens: inout [Int]) throws(TokenizationError) {
        var ids: UnsafeMutablePointer<Int32>?
        var count = 0
        let message = text.withUnsafeBytes { text in
            text.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.flatMap { gsp_encode(model, $0, text.count, &ids, &count) }
            }
        }
        defer { gsp_free(ids) }
        if message != nil { throw Self.failure(message) }
        for index in 0..<count { tokens.append(Int(ids?[index] ?? 0)) }
    }

    /// The ids of the pieces that begin and end a text.
    var boundaries: (beginning: Int?, end: Int?) {
        func known(_ id: Int32) -> Int? { id < 0 ? nil : Int(id) }
        return (known(gsp_beginning_id(model)), known(gsp_end_id(model)))
    }

    private static func failure(_ message: UnsafeMutablePointer<CChar>?) -> TokenizationError {
        defer { gsp_free(message) }
        return .sentencePiece(message.map { String(cString: $0) } ?? "out of memory")
    }
}
