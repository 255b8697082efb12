/// What of the difference of two checkpoints a LoRA keeps.
public struct ExtractionOptions: Sendable {
    /// How many singular values each layer keeps.
    public enum Rank: Sendable, Equatable {
        case fixed(Int)
        /// As few as hold this share of the layer's energy, the sum of squared singular values.
        case energy(Double)
    }

    /// What becomes of changes that no LoRA holds: norms, biases, the embedding, an untargeted
    /// head.
    public enum Rest: Sendable, Equatable {
        /// Nothing is written if there are any.
        case refuse
        /// They are saved whole, in place of the base's.
        case save
        case ignore
    }

    public var rank: Rank
    /// Module names, or their ends after a dot; nil is every linear layer but the head.
    public var targets: [String]?
    public var rest: Rest

    public init(rank: Rank, targets: [String]? = nil, rest: Rest = .refuse) {
        self.rank = rank
        self.targets = targets
        self.rest = rest
    }
}

/// What an extraction kept.
public struct ExtractionReport: Sendable {
    /// Layers of one kind, for example all `q_proj`.
    public struct Kind: Sendable, Equatable {
        public let name: String
        public var moduleCount = 0
        /// The smallest and the largest rank.
        public var ranks = 0...0
        /// Σ of squared singular values that were kept.
        public var keptEnergy = 0.0
        /// Σ of all squared singular values.
        public var energy = 0.0

        /// The part of the change that was kept, 0…1.
        public var share: Double { energy == 0 ? 1 : keptEnergy / energy }
    }

    /// In the order of the forward pass.
    public internal(set) var kinds: [Kind] = []
    /// Modules that are saved whole.
    public internal(set) var savedModules: [String] = []
    /// What differs and was left out; each is one sentence.
    public internal(set) var notes: [String] = []

    /// The part of all targeted layers' change that was kept, 0…1.
    public var share: Double {
        let energy = kinds.reduce(0) { $0 + $1.energy }
        return energy == 0 ? 1 : kinds.reduce(0) { $0 + $1.keptEnergy } / energy
    }

    mutating func add(_ name: String, rank: Int, kept: Double, energy: Double) {
        let index = kinds.firstIndex { $0.name == name } ?? kinds.endIndex
        if index == kinds.endIndex { kinds.append(Kind(name: name, ranks: rank...rank)) }
        kinds[index].moduleCount += 1
        kinds[index].ranks =
            min(kinds[index].ranks.lowerBound, rank)...max(kinds[index].ranks.upperBound, rank)
        kinds[index].keptEnergy += kept
        kinds[index].energy += energy
    }
}
