internal import Checkpoints
internal import StrictJSON
internal import Synchronization
public import Tokenization

/// A tokenizer that an adapter brings along, for the requests that it answers.
public final class AdapterTokenizer: Sendable {
    public let tokenizer: any Tokenizer
    /// What it is made of.
    let assets: TokenizerAssets
    /// Tokens that end an answer.
    public let endTokens: Set<Int32>
    /// About what it takes in memory.
    let byteCount: Int
    /// Of its tables, for each token: 63 to 76 bytes were measured with 49,152 tokens.
    private static let bytesPerToken = 72

    init(_ assets: TokenizerAssets) throws(TokenizationError) {
        let tokenizer = try TokenizerLoader.load(assets)
        self.assets = assets
        self.tokenizer = tokenizer
        endTokens = Set(tokenizer.endTokens.compactMap { Int32(exactly: $0) })
        byteCount = assets.byteCount + tokenizer.tokenCount * Self.bytesPerToken
    }
}

/// The tokenizers of the adapters of one base. Adapters whose files say the same share one; those
/// that say what the base's files say have none of their own.
final class TokenizerShelf: Sendable {
    private struct Holder {
        weak var tokenizer: AdapterTokenizer?
    }

    private let base: TokenizerAssets?
    private let identity = TokenizerIdentity()
    private let baseDigest = Mutex<[UInt8]?>(nil)
    /// By digest of what the tokenizer is made of.
    private let holders = Mutex<[[UInt8]: Holder]>([:])
    /// What files came to, by theirs: a digest, or nil for the base's own.
    private let known = Mutex<[[TokenizerFileDigest]: [UInt8]?]>([:])
    /// Sets of files that are known at a time.
    private static let knownCountLimit = 1 << 12

    /// - Parameter base: what the base carries; nil where it has no tokenizer.
    init(base: TokenizerAssets?) {
        self.base = base
    }

    /// Tokenizers that exist now, and about what they take together.
    var usage: (count: Int, byteCount: Int) {
        holders.withLock { holders in
            holders.values.reduce(into: (0, 0)) { usage, holder in
                guard let tokenizer = holder.tokenizer else { return }
                usage.0 += 1
                usage.1 += tokenizer.byteCount
            }
        }
    }

    /// The tokenizer of files that may be known by what they hold.
    ///
    /// - Parameters:
    ///   - digests: sorted by name.
    ///   - read: the files themselves.
    /// - Returns: nil where the base's own tokenizer stands.
    /// - Throws: as below, and what `read` throws.
    func tokenizer(
        _ digests: [TokenizerFileDigest],
        _ read: () throws(AdapterError) -> TokenizerFileSet
    ) throws(AdapterError) -> AdapterTokenizer? {
        guard !digests.isEmpty else { return nil }
        if let digest = known.withLock({ $0[digests] }) {
            guard let digest else { return nil }
            if let made = holders.withLock({ $0[digest]?.tokenizer }) { return made }
        }
        return try tokenizer(of: try read(), digests)
    }

    /// - Returns: nil where the base's own tokenizer stands.
    /// - Throws: `AdapterError.damagedFile` for files that make no tokenizer.
    func tokenizer(of files: TokenizerFileSet) throws(AdapterError) -> AdapterTokenizer? {
        try tokenizer(TokenizerFileDigest.of(files)) { () throws(AdapterError) in files }
    }

    private func remember(_ digest: [UInt8]?, of files: [TokenizerFileDigest]) {
        known.withLock { known in
            if known.count >= Self.knownCountLimit { known = [:] }
            known[files] = .some(digest)
        }
    }

    private func tokenizer(
        of files: TokenizerFileSet, _ digests: [TokenizerFileDigest]
    ) throws(AdapterError) -> AdapterTokenizer? {
        let assets: TokenizerAssets?
        do { assets = try files.assets(over: base) } catch {
            throw .damagedFile(error.description)
        }
        guard let assets else {
            remember(nil, of: digests)
            return nil
        }
        let digest = identity.digest(of: assets)
        guard digest != digestOfBase() else {
            remember(nil, of: digests)
            return nil
        }
        if let known = holders.withLock({ $0[digest]?.tokenizer }) { return known }
        let made = try load(assets, files)
        remember(digest, of: digests)
        return holders.withLock { holders in
            if let known = holders[digest]?.tokenizer { return known }
            holders = holders.filter { $0.value.tokenizer != nil }
            holders[digest] = Holder(tokenizer: made)
            return made
        }
    }

    private func load(
        _ assets: TokenizerAssets, _ files: TokenizerFileSet
    ) throws(AdapterError) -> AdapterTokenizer {
        do { return try AdapterTokenizer(assets) } catch {
            throw .damagedFile("\(files.directory): the adapter's tokenizer: \(error.description)")
        }
    }

    /// Made when the first adapter with files of a tokenizer asks for it.
    private func digestOfBase() -> [UInt8]? {
        guard let base else { return nil }
        return baseDigest.withLock { digest in
            if let digest { return digest }
            let made = identity.digest(of: base)
            digest = made
            return made
        }
    }
}

extension TokenizerAssets {
    /// Of the files that it keeps.
    fileprivate var byteCount: Int {
        let settings = [tokenizerConfig, generationConfig, specialTokensMap, addedTokens]
            .compactMap(\.self)
        let vocabularyByteCount =
            switch vocabulary {
            case .sentencePiece(let bytes), .tokenizerJSON(let bytes): bytes.count
            case .gguf(let vocabulary): vocabulary.pieces.reduce(0) { $0 + $1.count }
            }
        return vocabularyByteCount + (chatTemplate?.utf8.count ?? 0)
            + settings.reduce(0) { $0 + JSONValue.object($1).serialized().utf8.count }
    }
}
