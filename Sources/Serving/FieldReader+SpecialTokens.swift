internal import StrictJSON
internal import Tokenization

extension FieldReader {
    /// `special_tokens`: what special tokens that a text spells out are.
    func specialTokens() throws(ServingError) -> SpecialTokens? {
        guard let text = try string("special_tokens") else { return nil }
        guard let choice = SpecialTokens(rawValue: text) else {
            let known = SpecialTokens.allCases.map { "\"\($0.rawValue)\"" }
            throw Self.mismatch(
                "special_tokens", .string(text), expected: known.joined(separator: " or "))
        }
        return choice
    }
}
