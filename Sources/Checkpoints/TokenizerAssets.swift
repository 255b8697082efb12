public import StrictJSON

/// What a checkpoint carries for text: a vocabulary and the settings beside it, as stored.
public struct TokenizerAssets: Sendable, Equatable {
    /// The vocabulary, in the form in which the checkpoint has it.
    public enum Vocabulary: Sendable, Equatable {
        /// The bytes of a SentencePiece `tokenizer.model`.
        case sentencePiece(modelBytes: [UInt8])
        /// The bytes of a `tokenizer.json`.
        case tokenizerJSON([UInt8])
        /// The `tokenizer.ggml.*` keys of a GGUF file.
        case gguf(GGUFVocabulary)
    }

    public var vocabulary: Vocabulary
    /// `tokenizer_config.json`.
    public var tokenizerConfig: JSONObject?
    /// `generation_config.json`.
    public var generationConfig: JSONObject?
    /// `special_tokens_map.json`.
    public var specialTokensMap: JSONObject?
    /// `added_tokens.json`: text of a token → id.
    public var addedTokens: JSONObject?
    /// The text of `chat_template.jinja`, of GGUF's `tokenizer.chat_template`, or of
    /// `chat_template` in `tokenizer_config.json` or `chat_template.json`, the first that exists.
    public var chatTemplate: String?
    /// Names of further chat templates, which no request names.
    public var chatTemplateNames: [String]
    /// The ids that end a text according to `config.json` and `generation_config.json`.
    public var configurationEndTokens: [Int]

    /// Assets with nothing but a vocabulary, unless more is given.
    public init(
        vocabulary: Vocabulary, tokenizerConfig: JSONObject? = nil,
        generationConfig: JSONObject? = nil, specialTokensMap: JSONObject? = nil,
        addedTokens: JSONObject? = nil, chatTemplate: String? = nil,
        chatTemplateNames: [String] = [], configurationEndTokens: [Int] = []
    ) {
        self.vocabulary = vocabulary
        self.tokenizerConfig = tokenizerConfig
        self.generationConfig = generationConfig
        self.specialTokensMap = specialTokensMap
        self.addedTokens = addedTokens
        self.chatTemplate = chatTemplate
        self.chatTemplateNames = chatTemplateNames
        self.configurationEndTokens = configurationEndTokens
    }
}
