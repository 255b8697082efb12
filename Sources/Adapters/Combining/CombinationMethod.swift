/// How several adapters become one; the raw values are PEFT's.
///
/// **Source**: PEFT 0.21, `LoraModel.add_weighted_adapter`; TIES, arXiv 2306.01708; DARE, arXiv
/// 2311.03099.
public enum CombinationMethod: String, Sendable, CaseIterable {
    /// Factors side by side: exact, the ranks add up.
    case cat
    /// Σ of factors, each times the root of its weight: what equal directions have in common.
    case linear
    /// Σ of products, truncated to a rank by singular values.
    case svd
    case ties
    case tiesSVD = "ties_svd"
    case dareLinear = "dare_linear"
    case dareLinearSVD = "dare_linear_svd"
    case dareTIES = "dare_ties"
    case dareTIESSVD = "dare_ties_svd"
    case magnitudePrune = "magnitude_prune"
    case magnitudePruneSVD = "magnitude_prune_svd"

    /// True when products B A are combined and split again, false when A and B are for themselves.
    public var combinesProducts: Bool { self == .svd || rawValue.hasSuffix("_svd") }

    /// True when some values are dropped, so that a density must say how many stay.
    public var prunes: Bool {
        switch self {
        case .cat, .linear, .svd: false
        default: true
        }
    }

    /// True when chance says which values are dropped.
    public var isRandom: Bool { rawValue.hasPrefix("dare_") }

    /// True when values that disagree with the majority's sign are left out.
    public var electsSigns: Bool {
        switch self {
        case .ties, .tiesSVD, .dareTIES, .dareTIESSVD: true
        default: false
        }
    }
}

/// How the majority's sign is found for each value.
public enum MajoritySign: String, Sendable, CaseIterable {
    /// That of the sum of all values.
    case total
    /// The one that more of the values have.
    case frequency
}

/// What a combination does beside its weights.
public struct CombinationOptions: Sendable {
    public var method: CombinationMethod
    /// The share of values that stay, 0…1; read by methods that prune.
    public var density: Double
    public var majoritySign: MajoritySign
    /// Rank of the result of methods that combine products; nil is the largest rank among the
    /// adapters.
    public var rank: Int?
    /// Of torch's generator, set just before PEFT's call; read by methods that draw.
    public var seed: UInt64

    public init(
        method: CombinationMethod, density: Double = 1, majoritySign: MajoritySign = .total,
        rank: Int? = nil, seed: UInt64 = 0
    ) {
        self.method = method
        self.density = density
        self.majoritySign = majoritySign
        self.rank = rank
        self.seed = seed
    }
}
