import Checkpoints
import StrictJSON

/// A SentencePiece vocabulary, from a `.model` file or a GGUF vocabulary of the kind “llama”.
///
/// libsentencepiece encodes plain text. Around it, control tokens that are spelled out in a text
/// become those tokens, and tokens become bytes here, because the library decodes whole texts only.
struct SentencePieceTokenizer: Tokenizer {
    /// Encodes what begins a text.
    private let library: SentencePieceLibrary
    /// Encodes what follows a special token: without the space that goes in front of a text.
    private let continuing: SentencePieceLibrary
    private let pieces: [Piece]
    private let tokenBytes: TokenBytes
    private let leadingSpace: LeadingSpace
    private let addedTokens: AddedTokenSet
    private let surroundings: TextSurroundings
    private let conventions: TokenizerConventions
    private let idsBySpelling: TokenTable
    let additionalTokenCount: Int
    let warnings: [String]

    /// What of a piece matters beside its bytes.
    private struct Piece {
        let isControl: Bool
        let isUnknown: Bool
        /// What it stands for where it is a byte of a character without a piece.
        let byte: UInt8?
        let beginsWithSpace: Bool
    }

    /// Which spaces at the beginning of a text are not part of it.
    private enum LeadingSpace {
        case kept
        case oneDropped
        case allDropped
    }

    /// The tokenizer of a `.model` file.
    /// - Throws: what ``SentencePieceProto`` and ``SentencePieceLibrary`` throw, `invalidField`.
    init(modelBytes: [UInt8], _ assets: TokenizerAssets) throws(TokenizationError) {
        try self.init(modelBytes, assets, vocabulary: nil)
    }

    /// The tokenizer of a GGUF vocabulary.
    /// - Throws: as ``init(modelBytes:_:)``.
    init(_ vocabulary: GGUFVocabulary, _ assets: TokenizerAssets) throws(TokenizationError) {
        try self.init(try SentencePieceWriter.model(vocabulary), assets, vocabulary: vocabulary)
    }

    private init(
        _ modelBytes: [UInt8], _ assets: TokenizerAssets, vocabulary: GGUFVocabulary?
    ) throws(TokenizationError) {
        let proto = try SentencePieceProto(modelBytes)
        let library = try SentencePieceLibrary(modelBytes)
        let isLegacy = assets.tokenizerConfig?["legacy"]?.boolValue ?? false
        self.library = library
        continuing =
            proto.addsDummyPrefix && !isLegacy
            ? try SentencePieceLibrary(modelBytes + SentencePieceWriter.dummyPrefixOverride(false))
            : library
        pieces = proto.pieces.map {
            Piece(
                isControl: $0.type == .control, isUnknown: $0.type == .unknown,
                byte: $0.type == .byte ? SentencePieceProto.byteValue(of: $0.bytes) : nil,
                beginsWithSpace: $0.bytes.starts(with: Self.spaceMark))
        }
        leadingSpace =
            if proto.removesExtraWhitespace { .allDropped } else if proto.addsDummyPrefix {
                .oneDropped
            } else { .kept }
        let added = try Self.addedTokens(proto, assets)
        addedTokens = AddedTokenSet(added.tokens)
        additionalTokenCount = added.newCount
        warnings = TokenizerKeys.warnings(assets)
        let known = SentencePieceVocabulary(proto, added.tokens)
        tokenBytes = known.bytes
        idsBySpelling = known.ids
        let boundaries = library.boundaries
        conventions = TokenizerConventions(
            assets,
            declared: vocabulary?.declared
                ?? .init(
                    beginningToken: boundaries.beginning,
                    endTokens: [boundaries.end].compactMap { $0 }),
            token: { known.ids.id(of: $0).map(Int.init) },
            spelling: { String(decoding: known.spelling(of: $0), as: UTF8.self) })
        surroundings =
            try vocabulary?.surroundings(addsBeginningByDefault: true)
            ?? Self.surroundings(assets.tokenizerConfig, conventions, end: boundaries.end)
    }

    var tokenCount: Int { tokenBytes.count }
    var beginningToken: Int? { conventions.beginningToken }
    var endTokens: Set<Int> { conventions.endTokens }

    func requireChatTemplate() throws(TokenizationError) -> ChatTemplate {
        try conventions.chatTemplate.get()
    }

    func isSpecial(_ token: Int) -> Bool {
        if pieces.indices.contains(token) {
            return pieces[token].isControl
                || (addedTokens.isSpecial(token) && !pieces[token].isUnknown)
        }
        return addedTokens.isSpecial(token)
    }

    var specialTokens: SpecialTokens { conventions.specialTokens }
    var invalidBytes: InvalidBytes { .onePerByte }

    func byteValue(of token: Int) -> UInt8? {
        pieces.indices.contains(token) ? pieces[token].byte : nil
    }

    func token(spelled spelling: String) -> Int? { idsBySpelling.id(of: spelling).map(Int.init) }

    func spelling(of token: Int) -> [UInt8] { tokenBytes[token] }

    func bytes(of token: Int, at position: inout TextPosition) -> [UInt8] {
        guard !isSpecial(token) else { return [] }
        var bytes = tokenBytes[token]
        guard position == .beginning, leadingSpace != .kept, !bytes.isEmpty else { return bytes }
        if pieces.indices.contains(token), pieces[token].beginsWithSpace { bytes.removeFirst() }
        if leadingSpace == .oneDropped || !bytes.isEmpty { position = .continuation }
        return bytes
    }

    func encode(
        _ prompt: PromptText, addingSpecialTokens: Bool
    ) throws(TokenizationError) -> [Int] {
        let text = prompt.bytes
        try TextLimit.check(byteCount: text.count)
        var tokens = addingSpecialTokens ? surroundings.before : []
        for segment in addedTokens.verbatim.segments(of: text, besides: prompt.plainRanges) {
            if let token = segment.token {
                tokens.append(token)
            } else {
                let encoder = segment.range.lowerBound == 0 ? library : continuing
                try encoder.encode(Array(text[segment.range]), into: &tokens)
            }
        }
        if addingSpecialTokens { tokens += surroundings.after }
        return tokens
    }

    /// U+2581, which stands for a space inside pieces.
    static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]
}

extension SentencePieceTokenizer {
    /// The tokens that are found in a text before the library sees it: control pieces, the unknown
    /// piece, and those that the files beside the model name; with how many of them are only named
    /// special there and have no id of their own.
    private static func addedTokens(
        _ proto: SentencePieceProto, _ assets: TokenizerAssets
    ) throws(TokenizationError) -> (tokens: [AddedToken], newCount: Int) {
        var tokens: [Int: AddedToken] = [:]
        for (id, piece) in proto.pieces.enumerated()
        where [.control, .unknown].contains(piece.type) {
            let spelling = String(decoding: piece.bytes, as: UTF8.self)
            tokens[id] = AddedToken(spelling: spelling, id: id)
        }
        for (spelling, value) in assets.addedTokens ?? [:] {
            let field = JSONField(path: "added_tokens.json.\(spelling)", value: value)
            let id = try field.index()
            tokens[id] = AddedToken(spelling: spelling, id: id, isSpecial: false)
        }
        for var token in try AdditionalTokens.decoder(assets) ?? [] {
            token.isNormalized = false
            tokens[token.id] = token
        }
        var sorted = tokens.values.sorted { $0.id < $1.id }
        try check(sorted, proto)
        let newCount = addSpecialTokens(SpecialTokenNames(assets), proto, to: &sorted)
        return (sorted, newCount)
    }

    /// Special tokens that are named but not added: pieces of the model, or the next ids.
    private static func addSpecialTokens(
        _ named: SpecialTokenNames, _ proto: SentencePieceProto, to tokens: inout [AddedToken]
    ) -> Int {
        var newCount = 0
        var ids: [[UInt8]: Int] = [:]
        for (id, piece) in proto.pieces.enumerated() where ids[piece.bytes] == nil {
            ids[piece.bytes] = id
        }
        for var token in named.tokens {
            let spelling = Array(token.spelling.utf8)
            if let place = tokens.firstIndex(where: { Array($0.spelling.utf8) == spelling }) {
                tokens[place].isSpecial = true
                continue
            }
            token.isNormalized = false
            if let id = ids[spelling] {
                token.id = id
            } else {
                token.id = max(proto.pieces.count, (tokens.map(\.id).max() ?? -1) + 1)
                newCount += 1
            }
            tokens.append(token)
        }
        tokens.sort { $0.id < $1.id }
        return newCount
    }

    /// Added tokens repeat pieces of the model or follow them without a gap.
    private static func check(
        _ tokens: [AddedToken], _ proto: SentencePieceProto
    ) throws(TokenizationError) {
        var count = proto.pieces.count
        for token in tokens {
            if token.id < proto.pieces.count {
                let piece = proto.pieces[token.id].bytes
                guard piece == Array(token.spelling.utf8) else {
                    throw .duplicateTokenID(
                        id: token.id, first: String(decoding: piece, as: UTF8.self),
                        second: token.spelling)
                }
            } else {
                guard token.id == count else {
                    throw .invalidTokenID(
                        token: token.spelling, id: "\(token.id)",
                        reason: "the next free id is \(count)")
                }
                count += 1
            }
        }
    }

    /// A beginning token is added unless the configuration says otherwise, an end token only when
    /// it asks for one.
    private static func surroundings(
        _ configuration: JSONObject?, _ conventions: TokenizerConventions, end: Int?
    ) -> TextSurroundings {
        var result = TextSurroundings()
        if configuration?["add_bos_token"]?.boolValue ?? true,
            let beginning = conventions.beginningToken
        {
            result.before = [beginning]
        }
        if configuration?["add_eos_token"]?.boolValue ?? false, let end { result.after = [end] }
        return result
    }
}

/// Spellings and bytes of a SentencePiece vocabulary with its added tokens.
private struct SentencePieceVocabulary {
    private(set) var bytes = TokenBytes()
    private(set) var ids: TokenTable
    private let spellings: [[UInt8]]

    init(_ proto: SentencePieceProto, _ added: [AddedToken]) {
        let beyond = added.filter { $0.id >= proto.pieces.count }.map { Array($0.spelling.utf8) }
        spellings = proto.pieces.map(\.bytes) + beyond
        ids = TokenTable(capacity: spellings.count)
        for (id, spelling) in spellings.enumerated() {
            spelling.withUnsafeBufferPointer { _ = ids.insert($0, id: Int32(id)) }
        }
        for piece in proto.pieces { bytes.append(Self.bytes(of: piece, proto)) }
        for spelling in beyond { bytes.append(spelling) }
        bytes.shrink()
        ids.shrink()
    }

    func spelling(of id: Int) -> [UInt8] { spellings.indices.contains(id) ? spellings[id] : [] }

    private static func bytes(of piece: SentencePieceProto.Piece, _ proto: SentencePieceProto)
        -> [UInt8]
    {
        switch piece.type {
        case .byte: return SentencePieceProto.byteValue(of: piece.bytes).map { [$0] } ?? []
        case .unknown: return proto.unknownSurface
        case .control: return piece.bytes
        case .normal, .userDefined, .unused:
            var bytes: [UInt8] = []
            var rest = piece.bytes[...]
            while let byte = rest.first {
                let isSpace = rest.starts(with: SentencePieceTokenizer.spaceMark)
                bytes.append(isSpace ? UInt8(ascii: " ") : byte)
                rest.removeFirst(isSpace ? 3 : 1)
            }
            return bytes
        }
    }
}
