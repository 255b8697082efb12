import Checkpoints
import StrictJSON

/// The tokens that the files beside a vocabulary name, in the order in which `transformers` adds
/// those that the vocabulary lacks: `added_tokens_decoder`, else `added_tokens.json`, then special
/// tokens.
///
/// A token that is no piece yet gets the next free id, whatever id a file gives it.
/// **Source:** `TokenizersBackend.__init__` of transformers 5.
struct AdditionalTokens {
    private struct Entry {
        var token: AddedToken
        /// Whether a file says where the token is special and what it takes along, which wins over
        /// the vocabulary's own.
        var isDeclared: Bool
    }

    private let entries: [Entry]

    /// - Throws: `invalidField`.
    init(_ assets: TokenizerAssets) throws(TokenizationError) {
        let special = SpecialTokenNames(assets)
        var entries: [Entry] = []
        for token in try Self.declared(assets, special) {
            entries.append(Entry(token: token, isDeclared: true))
        }
        for token in special.tokens {
            let spelling = Array(token.spelling.utf8)
            guard !entries.contains(where: { Array($0.token.spelling.utf8) == spelling }) else {
                continue
            }
            entries.append(Entry(token: token, isDeclared: false))
        }
        self.entries = entries
    }

    /// Joins them with a vocabulary.
    /// - Parameters:
    ///   - added: the tokens that the vocabulary's own file adds; changed ones are replaced.
    ///   - modelCount: how many tokens the vocabulary has without those.
    /// - Returns: how many ids are new, and what to tell.
    /// - Throws: `invalidTokenID`, `duplicateTokenID`.
    func join(
        _ vocabulary: inout BytePairVocabulary, _ added: inout [AddedToken], modelCount: Int
    ) throws(TokenizationError) -> (newCount: Int, warnings: [String]) {
        var newCount = 0
        var warnings: [String] = []
        for var entry in entries {
            let declared = entry.token.id
            let place = added.firstIndex {
                $0.spelling.utf8.elementsEqual(entry.token.spelling.utf8)
            }
            if let place {
                entry.token.id = added[place].id
                if entry.isDeclared { added[place] = entry.token }
            } else {
                if let id = vocabulary.tokens.id(of: entry.token.spelling) {
                    entry.token.id = Int(id)
                } else {
                    entry.token.id = max(modelCount, (added.map(\.id).max() ?? -1) + 1)
                    try vocabulary.add(entry.token.spelling, id: entry.token.id)
                    newCount += 1
                }
                added.append(entry.token)
            }
            if declared >= 0, declared != entry.token.id {
                warnings.append(
                    "the token '\(entry.token.spelling)' has the id \(entry.token.id), as in "
                        + "transformers, though the tokenizer's files give it \(declared)")
            }
        }
        return (newCount, warnings)
    }

    private static func declared(
        _ assets: TokenizerAssets, _ special: SpecialTokenNames
    ) throws(TokenizationError) -> [AddedToken] {
        if let decoder = try decoder(assets) { return decoder }
        let names = Set(special.tokens.map { Array($0.spelling.utf8) })
        var tokens: [AddedToken] = []
        for (spelling, value) in assets.addedTokens ?? [:] {
            let field = JSONField(path: "added_tokens.json.\(spelling)", value: value)
            let isSpecial = names.contains(Array(spelling.utf8))
            tokens.append(
                AddedToken(
                    spelling: spelling, id: try field.index(), isSpecial: isSpecial,
                    isNormalized: !isSpecial))
        }
        return tokens.sorted { $0.id < $1.id }
    }

    /// `added_tokens_decoder` of `tokenizer_config.json`, in the order of its ids; nil where there
    /// is none.
    /// - Throws: `invalidField`.
    static func decoder(_ assets: TokenizerAssets) throws(TokenizationError) -> [AddedToken]? {
        let path = "tokenizer_config.json.added_tokens_decoder"
        guard let decoder = assets.tokenizerConfig?["added_tokens_decoder"]?.objectValue else {
            return nil
        }
        var tokens: [AddedToken] = []
        for (key, value) in decoder {
            guard let id = Int(key), id >= 0 else {
                throw .invalidField(
                    field: path, expected: "keyed by token ids", found: "keyed by '\(key)'")
            }
            tokens.append(try AddedToken(JSONField(path: "\(path).\(key)", value: value), id: id))
        }
        return tokens.sorted { $0.id < $1.id }
    }
}
