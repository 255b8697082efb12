internal import Kernels
public import Transformer

/// An adapter read whole, checked, and compiled to operators on the slots of one base.
public final class LoadedAdapter: Sendable {
    /// The name under which it was read; no part of its identity.
    public let name: String
    /// SHA-256 of the content, in hexadecimal: the configuration's canonical text and every
    /// tensor's name, type, shape and bytes. A PEFT directory and the `.lora` packed from it agree.
    public let hash: String
    /// PEFT's spelling of the method, for example `LORA`.
    public let peftType: String
    public let operators: AdapterOperators
    /// Its own, for the requests that it answers; nil: the base's.
    public let tokenizer: AdapterTokenizer?
    /// The largest rank among its low-rank operators; nil where it has none.
    public let rank: Int?
    /// Trained values in the file.
    public let parameterCount: Int
    /// Bytes that the operators hold in memory.
    public let byteCount: Int
    /// What the reader wants the user to know; each is one sentence.
    public let warnings: [String]
    /// Which modules it changes, in short, for example `q_proj ×24, v_proj ×24`.
    public let targets: String
    /// What its files were, where that lets it come back sooner.
    let files: KnownFiles?
    /// True where nothing but values was read, since the rest was known.
    package let isFromKnownFiles: Bool

    init(
        name: String, hash: String, peftType: String, operators: AdapterOperators,
        tokenizer: AdapterTokenizer? = nil, parameterCount: Int, warnings: [String],
        targets: String, files: KnownFiles? = nil,
        isFromKnownFiles: Bool = false
    ) {
        self.name = name
        self.hash = hash
        self.peftType = peftType
        self.operators = operators
        self.tokenizer = tokenizer
        self.rank = operators.largestRank
        self.parameterCount = parameterCount
        self.byteCount = operators.byteCount
        self.warnings = warnings
        self.targets = targets
        self.files = files
        self.isFromKnownFiles = isFromKnownFiles
    }
}

extension AdapterOperators {
    /// The largest rank among all low-rank operators; nil where there are none.
    var largestRank: Int? {
        var ranks: [Int] = []
        for case .lowRank(let lowRank) in linear.values.joined() { ranks.append(lowRank.rank) }
        for case .lowRank(_, let b, _) in embedding { ranks.append(b.inputCount) }
        return ranks.max()
    }

    /// Bytes of every matrix, vector and prefix page; what modules share counts once.
    var byteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        let vectors = norms.values.reduce(0) { $0 + $1.byteCount }
        return linear.values.joined().reduce(0) { $0 + $1.byteCount(without: &seen) }
            + embedding.reduce(0) { $0 + $1.byteCount } + vectors + (prefix?.byteCount ?? 0)
            + gatedPrefixes.values.reduce(0) { $0 + $1.byteCount }
            + stateLayers.values.reduce(0) { $0 + $1.byteCount }
            + (companion?.byteCount ?? 0) + (vocabulary?.byteCount ?? 0)
            + bottlenecks.values.reduce(0) { $0 + $1.byteCount }
    }
}

extension Companion {
    /// A model's embedding counts even where it is the base's.
    var byteCount: Int {
        operators.byteCount + (model?.weightByteCount ?? 0) + (readout?.byteCount ?? 0)
    }
}

extension LowRankOperator {
    /// - Parameter seen: matrices that were counted.
    fileprivate func byteCount(without seen: inout Set<ObjectIdentifier>) -> Int {
        var count = factors?.byteCount ?? 0
        if seen.insert(ObjectIdentifier(a)).inserted { count += a.byteCount }
        if seen.insert(ObjectIdentifier(b)).inserted { count += b.byteCount }
        return count
    }
}

extension NormOperator {
    var byteCount: Int {
        switch self {
        case .gain(let gain): gain.count * MemoryLayout<Float>.stride
        }
    }
}

extension LinearOperator {
    var byteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        return byteCount(without: &seen)
    }

    fileprivate func byteCount(without seen: inout Set<ObjectIdentifier>) -> Int {
        switch self {
        case .lowRank(let lowRank): lowRank.byteCount(without: &seen)
        case .dense(let matrix): matrix.byteCount
        case .update(let map), .input(let map), .output(let map): map.byteCount
        case .bias(let bias): bias.count * MemoryLayout<Float>.stride
        case .replacement(let matrix, let bias):
            matrix.byteCount + (bias?.count ?? 0) * MemoryLayout<Float>.stride
        }
    }
}

extension EmbeddingOperator {
    var byteCount: Int {
        switch self {
        case .lowRank(let rows, let b, _), .product(let rows, let b):
            rows.count * MemoryLayout<Float>.stride + b.byteCount
        case .output(let map): map.byteCount
        case .rows(_, let values), .softPrompt(let values):
            values.count * MemoryLayout<Float>.stride
        case .replacement(let table): table.byteCount
        }
    }
}
