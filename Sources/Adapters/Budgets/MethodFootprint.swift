internal import StrictJSON
internal import Transformer

/// How much a method makes of what its file stores, by kind: the largest case of each.
struct MethodFootprint {
    /// What there is beside the stored values.
    enum Addition: Equatable {
        case nothing
        /// A matrix for each module.
        case matrix
        /// A matrix for each module, made of bases of so many ranks that all share.
        case matrixOfBases(rank: Int)
        /// Factors of so many ranks for each module, or a matrix where that is smaller.
        case factors(rank: Int)
        /// Factors of so many ranks for each module, made of numbers that are drawn for all
        /// together.
        case drawnFactors(rank: Int)
        /// Factors of the squared rank.
        case squaredFactors
        /// Two Kronecker factors.
        case kronecker
        /// Transforms of both sides of a matrix.
        case wavelets
        /// Factors that all modules of a width share.
        case sharedFactors(rank: Int)
        /// A small matrix of so many drawn ones.
        case drawnCore(rank: Int, count: Int)
        /// A model of its own, embedding included.
        case model
        /// Bottlenecks of which the file has factors.
        case bottlenecks(reduction: Double)
    }

    /// What stored values become, in f32 and panels.
    var storedFactor = 1.0
    var addition = Addition.nothing
    /// Matrices in f32 of the largest module's size that are there at a time.
    var matrixCount = 0
    /// True where factors A and B keep the type of the file.
    var keepsFactors = false
    /// True where modules need no tensors of their own.
    var targetsBySettings = false

    init(_ file: AdapterFile) {
        let settings = file.configuration.object
        switch file.peftType {
        case LoRA.peftType: self.init(lora: settings)
        case "OSF", "GLORA", "HIRA": self.init(addition: .matrix, matrixCount: 10)
        // Inverses in f64 of each kind of module are there at a time.
        case "FROD": self.init(addition: .matrix, matrixCount: 32)
        case "RANDLORA":
            self.init(addition: .matrixOfBases(rank: settings.rank(32)), matrixCount: 10)
        case "MISS", "BONE":
            let isPlain = settings["init_weights"] != .string("bat")
            self.init(addition: isPlain ? .nothing : .matrix, matrixCount: isPlain ? 0 : 6)
        case "LOHA": self.init(addition: .squaredFactors, matrixCount: 4)
        case "LOKR": self.init(storedFactor: 1.5, addition: .kronecker, matrixCount: 1)
        case "PSOFT": self.init(addition: .factors(rank: settings.rank(32)), matrixCount: 6)
        case "DEFT": self.init(addition: .factors(rank: settings.rank(8)), matrixCount: 4)
        case "ADAMSS":
            let groups = settings.count("num_subspaces", 5) * settings.count("subspace_rank", 1)
            self.init(storedFactor: 1.25, addition: .factors(rank: groups), matrixCount: 6)
        case "VBLORA": self.init(addition: .factors(rank: settings.rank(4)), matrixCount: 0)
        case "UNILORA":
            self.init(addition: .drawnFactors(rank: settings.rank(4)), targetsBySettings: true)
        case "VERA", "PVERA":
            self.init(storedFactor: 2, addition: .sharedFactors(rank: settings.rank(256)))
        case "TINYLORA":
            self.init(
                addition: .drawnCore(rank: settings.rank(2), count: settings.count("u", 64)))
        case "WAVEFT": self.init(storedFactor: 5, addition: .wavelets)
        case "FOURIERFT", "SUPERTUNING": self.init(storedFactor: 4, matrixCount: 4)
        case "OFT", "HRA": self.init(storedFactor: 4.5, matrixCount: 2)
        case "ROAD", "BOFT", "POLY", "C3A", "DELORA", "ADALORA", "GRALORA", "PEANUT", "SHIRA":
            self.init(storedFactor: file.peftType == "ROAD" ? 6 : 2, matrixCount: 1)
        case "SHADOW": self.init(storedFactor: 2, addition: .model, matrixCount: 1)
        case BottleneckAdapter.type, AdapterUnion.type: self.init(bottlenecks: settings)
        default: self.init(storedFactor: 2)
        }
    }

    private init(
        storedFactor: Double = 1, addition: Addition = .nothing, matrixCount: Int = 0,
        targetsBySettings: Bool = false
    ) {
        self.storedFactor = storedFactor
        self.addition = addition
        self.matrixCount = matrixCount
        self.targetsBySettings = targetsBySettings
    }

    /// LoRA whose training began with the base's own directions takes as many ranks out again.
    private init(lora settings: JSONObject) {
        let initialization = settings["init_lora_weights"]?.stringValue?.lowercased() ?? ""
        let takesOut =
            ["pissa", "olora"].contains { initialization.hasPrefix($0) }
            || settings.isSet("kasa_config")
        let splits = settings.isSet("use_bdlora")
        storedFactor = takesOut || splits ? 2 : 1
        keepsFactors = !takesOut && !splits && !settings.isSet("use_dora")
        matrixCount = takesOut ? 8 : settings.isSet("use_dora") ? 4 : 0
    }

    private init(bottlenecks settings: JSONObject) {
        self.init(storedFactor: 1.5)
        guard settings.isSet("phm_layer") else { return }
        let value = settings["reduction_factor"]
        let factors = value?.objectValue?.compactMap { $0.value.doubleValue } ?? []
        let least = (factors + [value?.doubleValue].compactMap(\.self)).min() ?? 1
        addition = .bottlenecks(reduction: max(least, 0x1p-10))
        matrixCount = 2
    }
}

extension MethodFootprint {
    /// Values that a module gets beside those that are stored.
    func added(_ shape: LinearShape, _ tensors: StoredModules.Tensors) -> Int {
        switch addition {
        case .nothing, .sharedFactors, .model, .bottlenecks: 0
        case .matrix, .matrixOfBases: shape.packedValueCount
        case .factors(let rank), .drawnFactors(let rank): Self.factors(shape, rank: rank)
        case .drawnCore(let rank, _):
            Self.factors(shape, rank: min(rank, shape.outputCount, shape.inputCount))
        case .squaredFactors:
            Self.factors(shape, rank: Self.largestRank(tensors).multipliedByItself)
        case .kronecker: 2 * Self.kronecker(shape, tensors)
        case .wavelets: Self.wavelets(shape, tensors)
        }
    }

    /// Values that are there while a module's are drawn.
    func drawn(_ shape: LinearShape) -> Int {
        switch addition {
        // Places in 64 bits, twice, the values that they stand for, and the factors.
        case .drawnFactors(let rank): 8 * rank * (shape.outputCount + shape.inputCount)
        case .drawnCore(let rank, let count):
            2 * count * min(rank, shape.outputCount, shape.inputCount).multipliedByItself
        case .sharedFactors(let rank): rank
        default: 0
        }
    }

    /// Values that no module has to itself.
    func shared(_ shapes: [LinearShape], _ slots: SlotTable) -> Int {
        switch addition {
        case .sharedFactors(let rank):
            // Those of each width, and the widest while they are cut.
            let inputs = Set(shapes.map(\.inputCount))
            let outputs = Set(shapes.map(\.outputCount))
            let widest = (inputs.max() ?? 0) + (outputs.max() ?? 0)
            return rank * (inputs.reduce(0, +) + outputs.reduce(0) { $0 + $1 + 16 } + 3 * widest)
        case .matrixOfBases(let rank):
            let sides = shapes.flatMap { [$0.inputCount, $0.outputCount] }
            return 2 * (sides.max() ?? 0) * ((sides.min() ?? 0) + 2 * rank)
        case .model: return 2 * slots.vocabularyCount * slots.hiddenSize
        case .bottlenecks(let reduction):
            let width = Int((Double(slots.hiddenSize) / reduction).rounded(.up)) + 16
            return 4 * slots.layerCount * slots.hiddenSize * width
        default: return 0
        }
    }

    private static func factors(_ shape: LinearShape, rank: Int) -> Int {
        min(rank * (shape.inputCount + shape.outputCount + 16), shape.packedValueCount)
    }

    /// The smallest side of a module's matrices, which is their rank where they are factors.
    private static func largestRank(_ tensors: StoredModules.Tensors) -> Int {
        tensors.values.compactMap { $0.count > 1 ? $0.min() : nil }.max() ?? 0
    }

    /// One of the factors has as many rows and columns as its tensors say, the other what is left.
    private static func kronecker(_ shape: LinearShape, _ tensors: StoredModules.Tensors) -> Int {
        let whole = tensors[".lokr_w1"]
        let rows = (whole ?? tensors[".lokr_w1_a"])?.first ?? 1
        let columns = (whole ?? tensors[".lokr_w1_b"])?.last ?? 1
        let first = max(1, rows * columns)
        let second = shape.valueCount / first + 16 * (shape.inputCount / max(1, columns))
        return min(first + 16 * columns + second, 2 * shape.packedValueCount)
    }

    /// A value and its place for each tap of the coefficients' filters, which are 20 long at most.
    private static func wavelets(_ shape: LinearShape, _ tensors: StoredModules.Tensors) -> Int {
        let count = tensors.values.map { $0.reduce(1, *) }.max() ?? 0
        let sides = [shape.inputCount, shape.outputCount]
        return sides.reduce(0) { $0 + 2 * 20 * min(count, $1 + 20) + 2 * ($1 + count) }
    }
}

extension Int {
    fileprivate var multipliedByItself: Int { self * self }
}

extension JSONObject {
    fileprivate func isSet(_ name: String) -> Bool { !(self[name]?.isUnset ?? true) }

    /// A count, or `standard` where there is none, or none that reading would accept.
    fileprivate func count(_ name: String, _ standard: Int) -> Int {
        let value = self[name]?.intValue ?? standard
        return (0...1 << 24).contains(value) ? value : 0
    }

    /// The largest rank that `r` and `rank_pattern` give.
    fileprivate func rank(_ standard: Int) -> Int {
        let patterns = self["rank_pattern"]?.objectValue?.compactMap { $0.value.intValue } ?? []
        let largest = patterns.reduce(count("r", standard)) { Swift.max($0, $1) }
        return (0...LoRASettings.rankLimit).contains(largest) ? largest : 0
    }
}
