internal import StrictJSON
internal import Transformer

/// Orthogonal fine-tuning: inputs turned block by block.
///
///     base_model.model.<module>.oft_R.weight              [blocks, size · (size − 1) / 2]
///     base_model.model.<module>.oft_embedding_R.weight    likewise, of an embedding's rows
///
/// y = W Rᵀ x + b; each block of R is the Cayley transform of a skew-symmetric Q, of which the file
/// has what is above the diagonal, or the first terms of its series. With `block_share` all blocks
/// are one.
///
/// **Source**: OFT, arXiv 2306.07280; PEFT 0.21.
enum OFT: TunerMethod {
    private static let rotation = TensorPart(".oft_R.weight")
    private static let embeddingRotation = TensorPart(".oft_embedding_R.weight")

    static let name = "OFT"
    static let parts = [rotation, embeddingRotation]
    static let trainingOnly: Set<String> = ["module_dropout"]

    static func refusal(of slot: Slot) -> String? {
        guard case .norm = slot else { return nil }
        return "OFT works on linear layers and embeddings, this is a norm"
    }

    static func isBesideBase(_ settings: OFTSettings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> OFTSettings {
        try OFTSettings(&configuration)
    }

    static func add(
        _ slot: Slot, _ settings: OFTSettings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        switch slot {
        case .linear(let linear):
            let width = compiler.slots.shape(of: linear).inputCount
            let map = try map(rotation, at: slot, width, settings, &compiler)
            compiler.append(.input(map), at: linear)
        case .embedding:
            let width = compiler.slots.hiddenSize
            let map = try map(embeddingRotation, at: slot, width, settings, &compiler)
            compiler.operators.embedding.append(.output(map))
        case .norm: break
        }
    }

    private static func map(
        _ part: TensorPart, at slot: Slot, _ width: Int, _ settings: OFTSettings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> RotationMap {
        let size = settings.blockSize(width: width)
        let storedCount = settings.sharesBlock ? 1 : width / size
        let valueCount = size * (size - 1) / 2
        let values = try compiler.floats(
            part, at: slot, shape: [storedCount, valueCount],
            reason: "the configuration gives '\(compiler.slots.name(of: slot))', of \(width) "
                + "features, \(storedCount == 1 ? "a block" : "\(storedCount) blocks") of \(size)")
        var blocks: [Float] = []
        for block in 0..<storedCount {
            var skew = Cayley.skew(
                above: values[block * valueCount..<(block + 1) * valueCount], size: size)
            if let bound = settings.bound {
                constrain(&skew, to: bound / Double(storedCount).squareRoot())
            }
            let turned =
                settings.termCount.map { Cayley.series(skew, size: size, termCount: $0) }
                ?? Cayley.transform(skew, size: size)
            blocks += Matrices.transposed(turned, rowCount: size)
        }
        return RotationMap(
            width: width, factors: [RotationMap.Factor(blocks: blocks, size: size)])
    }

    /// Brings Q back to the bound on its norm, as PEFT does whenever it uses it.
    private static func constrain(_ skew: inout [Float], to bound: Double) {
        let length = skew.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        guard length > bound else { return }
        for i in skew.indices { skew[i] *= Float(bound / length) }
    }
}

/// What an OFT configuration says, checked.
struct OFTSettings {
    /// True: one block stands at every place.
    let sharesBlock: Bool
    /// Terms of the series; nil for the whole transform.
    let termCount: Int?
    /// The largest Frobenius norm of all of Q together; nil without one.
    let bound: Double?
    private enum Division {
        case size(Int)
        case count(Int)
    }
    private let division: Division

    init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        division = try Self.division(&configuration)
        sharesBlock = try configuration.flag("block_share")
        let bound = try configuration.number("eps", standard: 6e-5)
        self.bound = try configuration.flag("coft") ? bound : nil
        let name = "num_cayley_neumann_terms"
        let termCount = try configuration.optionalCount(name, limit: 1024) ?? 5
        guard try configuration.flag("use_cayley_neumann", standard: true) else {
            self.termCount = nil
            return
        }
        try Self.checkRelease(&configuration)
        self.termCount = termCount
    }

    /// One of `oft_block_size` and `r` is 0: the other decides.
    private static func division(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Division {
        let name = "oft_block_size"
        guard let value = configuration.value(name) else {
            throw .missingSetting(name, file: configuration.file)
        }
        let isBySize = value.intValue != 0
        let count = configuration.value("r")
        guard isBySize else {
            return .count(try configuration.count("r", limit: LoRASettings.rankLimit))
        }
        guard count == nil || count?.intValue == 0 else {
            throw configuration.invalid(name, value, expected: "0 where 'r' is not 0")
        }
        return .size(try configuration.count(value, name: name, limit: LoRASettings.rankLimit))
    }

    /// Before PEFT 0.18 the series had other terms.
    private static func checkRelease(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) {
        guard configuration.object["use_cayley_neumann"] != nil else { return }
        let release = try configuration.text("peft_version") ?? "0"
        let numbers = release.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        guard numbers.count < 2 || numbers[0] == 0 && numbers[1] < 18 else { return }
        throw .unsupportedSetting(
            "use_cayley_neumann", value: "true",
            reason: "before PEFT 0.18 its series was another, and 'peft_version' doesn't say "
                + "that this adapter is newer", file: configuration.file)
    }

    /// Where blocks don't divide the width, PEFT takes the nearest size, or number, that does.
    func blockSize(width: Int) -> Int {
        switch division {
        case .size(let size): Self.nearestDivisor(of: width, to: size)
        case .count(let count): width / Self.nearestDivisor(of: width, to: count)
        }
    }

    /// The lower one of two as near.
    private static func nearestDivisor(of width: Int, to wanted: Int) -> Int {
        guard wanted < width else { return width }
        var (lower, upper) = (wanted, wanted)
        while width % lower != 0 { lower -= 1 }
        while width % upper != 0 { upper += 1 }
        return wanted - lower <= upper - wanted ? lower : upper
    }
}
