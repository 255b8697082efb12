internal import Checkpoints
internal import Synchronization
public import Tokenization

/// A tokenizer that an adapter brings along, for the requests that it answers.
public final class AdapterTokenizer: Sendable {
    public let tokenizer: any Tokenizer
    /// What it is made of.
    let assets: TokenizerAssets
    /// Tokens that end an answer.
    public let endTokens: Set<Int32>

    init(_ assets: TokenizerAssets) throws(TokenizationError) {
        let tokenizer = try TokenizerLoader.load(assets)
        self.assets = assets
        self.tokenizer = tokenizer
        endTokens = Set(tokenizer.endTokens.compactMap { Int32(exactly: $0) })
    }
}

/// The tokenizers of the adapters of one base. Adapters whose files say the same share one; those that
/// say what the base's files say have none of their own.
final class TokenizerShelf: Sendable {
    private struct Holder {
        weak var tokenizer: AdapterTokenizer?
    }

    private let base: TokenizerAssets?
    private let identity = TokenizerIdentity()
    private let baseDigest = Mutex<[UInt8]?>(nil)
    /// By digest of what the tokenizer is made of.
    private let holders = Mutex<[[UInt8]: Holder]>([:])

    /// - Parameter base: what the base carries; nil where it has no tokenizer.
    init(base: TokenizerAssets?) {
        self.base = base
    }

    /// - Returns: nil where the base's own tokenizer stands.
    /// - Throws: `AdapterError.damagedFile` for files that make no tokenizer.
    func tokenizer(of files: TokenizerFileSet) throws(AdapterError) -> AdapterTokenizer? {
        guard !files.isEmpty else { return nil }
        let assets: TokenizerAssets?
        do { assets = try files.assets(over: base) } catch {
            throw .damagedFile(error.description)
        }
        guard let assets else { return nil }
        let digest = identity.digest(of: assets)
        if digest == digestOfBase() { return nil }
        if let known = holders.withLock({ $0[digest]?.tokenizer }) { return known }
        let made = try load(assets, files)
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
