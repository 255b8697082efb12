import Tokenization

/// A vocabulary of pieces of bytes, which may end inside a character. Decodes only.
final class PieceTokenizer: Tokenizer {
    private let pieces: [[UInt8]]

    init(_ pieces: [[UInt8]]) {
        self.pieces = pieces
    }

    var tokenCount: Int { pieces.count }
    var beginningToken: Int? { nil }
    var endTokens: Set<Int> { [] }

    func encode(_ text: PromptText, addingSpecialTokens: Bool) throws(TokenizationError) -> [Int] {
        [0]
    }

    func bytes(of token: Int, at position: inout TextPosition) -> [UInt8] {
        position = .continuation
        return pieces[token]
    }

    func spelling(of token: Int) -> [UInt8] { pieces[token] }
    func isSpecial(_ token: Int) -> Bool { false }
    func token(spelled spelling: String) -> Int? { nil }

    func requireChatTemplate() throws(TokenizationError) -> ChatTemplate {
        throw .missingChatTemplate
    }
}
