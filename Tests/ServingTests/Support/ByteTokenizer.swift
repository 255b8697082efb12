import Dispatch
import Synchronization
import Tokenization

/// One token a byte; 256 begins a text where `addsBeginning`, 257 ends an answer.
final class ByteTokenizer: Tokenizer {
    static let endToken: Int32 = 257

    private let addsBeginning: Bool
    private let encodeCounter = Atomic(0)
    private let gate: DispatchSemaphore?

    /// - Parameter gate: what each text waits for before it is turned into tokens.
    init(addsBeginning: Bool = true, gate: DispatchSemaphore? = nil) {
        self.addsBeginning = addsBeginning
        self.gate = gate
    }

    /// Texts that were turned into tokens.
    var encodeCount: Int { encodeCounter.load(ordering: .relaxed) }

    var tokenCount: Int { 258 }
    var beginningToken: Int? { 256 }
    var endTokens: Set<Int> { [Int(Self.endToken)] }

    func encode(_ text: PromptText, addingSpecialTokens: Bool) throws(TokenizationError) -> [Int] {
        encodeCounter.add(1, ordering: .relaxed)
        gate?.wait()
        // A plain stretch begins with its first byte plus 1000.
        var tokens = text.bytes.map(Int.init)
        for range in text.plainRanges { tokens[range.lowerBound] += 1000 }
        return (addingSpecialTokens && addsBeginning ? [256] : []) + tokens
    }

    func bytes(of token: Int, at position: inout TextPosition) -> [UInt8] {
        position = .continuation
        return UInt8(exactly: token).map { [$0] } ?? []
    }

    func spelling(of token: Int) -> [UInt8] { UInt8(exactly: token).map { [$0] } ?? [] }
    func isSpecial(_ token: Int) -> Bool { token > 255 }
    func token(spelled spelling: String) -> Int? { nil }

    func requireChatTemplate() throws(TokenizationError) -> ChatTemplate {
        try ChatTemplate.recognise(
            "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] "
                + "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
                + "{{ '<|im_start|>assistant\n' }}{% endif %}",
            beginningText: "", endText: "<|im_end|>")
    }
}
