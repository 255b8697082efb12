import Checkpoints
import StrictJSON

/// What is said about a vocabulary beside its tokens: where texts begin and end, and how a
/// conversation is written.
struct TokenizerConventions: Sendable {
    let beginningToken: Int?
    let endTokens: Set<Int>
    let chatTemplate: Result<ChatTemplate, TokenizationError>
    /// What special tokens in a text are where a request doesn't say it.
    let specialTokens: SpecialTokens

    /// What the vocabulary file itself says.
    struct Declared {
        var beginningToken: Int?
        var endTokens: [Int] = []
    }

    /// Joins what the vocabulary declares with the configuration and the chat template.
    /// - Parameters:
    ///   - token: the id of a spelling.
    ///   - spelling: the spelling of an id.
    init(
        _ assets: TokenizerAssets, declared: Declared, token: (String) -> Int?,
        spelling: (Int) -> String
    ) {
        let named = SpecialTokenNames(assets)
        beginningToken = named.beginning.flatMap(token) ?? declared.beginningToken
        let beginningText = named.beginning ?? declared.beginningToken.map(spelling)
        let endText = named.end ?? declared.endTokens.first.map(spelling)
        let templates = ChatTemplateSet(assets)
        chatTemplate = Result { () throws(TokenizationError) in
            guard let text = templates.standard else {
                guard templates.names.isEmpty else {
                    throw .noDefaultChatTemplate(names: templates.names)
                }
                throw .missingChatTemplate
            }
            return try ChatTemplate.recognise(
                text, beginningText: beginningText, endText: endText)
        }
        let answerEnds = ChatTemplate.turnEnds(in: templates.standard ?? "").compactMap(token)
        endTokens = Set(assets.configurationEndTokens + declared.endTokens + answerEnds)
            .union([named.end.flatMap(token)].compactMap { $0 })
        let splits = assets.tokenizerConfig?["split_special_tokens"]?.boolValue ?? false
        specialTokens = splits ? .text : .parse
    }
}
