internal import StrictJSON
internal import Transformer

/// BD-LoRA: factors whose blocks stand on a diagonal, so that parallel workers need not exchange
/// anything; the file holds the blocks alone, one above the other.
///
///     base_model.model.<module>.lora_A.weight    [rank, inputs / blocks]     where A is block-diagonal
///     base_model.model.<module>.lora_B.weight    [outputs, rank / blocks]    where B is
///
/// **Source**: PEFT 0.21, `BdLoraConfig`.
struct BlockDiagonalLoRA {
    private let aNames: [String]
    private let bNames: [String]
    let blockCount: Int
    private let isStrict: Bool
    private let file: String

    /// - Returns: nil where the configuration doesn't set `use_bdlora`.
    init?(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        let name = "use_bdlora"
        guard let value = configuration.value(name), !value.isUnset else { return nil }
        guard let object = value.objectValue else {
            throw configuration.invalid(name, value, expected: "an object")
        }
        aNames = try Self.names("target_modules_bd_a", of: object, configuration)
        bNames = try Self.names("target_modules_bd_b", of: object, configuration)
        guard let count = (object["nblocks"] ?? .integer(1)).intValue, (1...4096).contains(count)
        else {
            throw configuration.invalid(name, value, expected: "'nblocks' from 1 to 4096")
        }
        blockCount = count
        isStrict = object["match_strict"]?.boolValue ?? true
        file = configuration.file
    }

    private static func names(
        _ key: String, of object: JSONObject, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> [String] {
        guard let list = object[key], !list.isNull else { return [] }
        let names = list.arrayValue?.compactMap(\.stringValue)
        guard let names, names.count == list.arrayValue?.count else {
            throw configuration.invalid("use_bdlora", list, expected: "names in '\(key)'")
        }
        return names
    }

    /// Which factors of a module are in blocks.
    ///
    /// - Throws: `AdapterError.unsupportedTarget` where the configuration demands blocks and names
    ///   none for the module, or both.
    func forms(of module: String) throws(AdapterError) -> (a: Bool, b: Bool) {
        // PEFT looks for the names within the last part of the module's.
        let last = module.split(separator: ".").last.map(String.init) ?? module
        let a = aNames.contains(where: last.contains)
        let b = bNames.contains(where: last.contains)
        guard a != b || (!a && !isStrict) else {
            throw .unsupportedTarget(
                module: module, setting: "use_bdlora",
                reason: a
                    ? "both lists of blocks name it"
                    : "'match_strict' is set and neither list of blocks names it", file: file)
        }
        return (a, b)
    }

    /// The whole matrix.
    ///
    /// - Parameter values: **Shape** [rowCount, columnCount / blockCount].
    func expanded(_ values: [Float], rowCount: Int, columnCount: Int) -> [Float] {
        var result = [Float](repeating: 0, count: rowCount * columnCount)
        let width = columnCount / blockCount
        for row in 0..<rowCount {
            let block = row / (rowCount / blockCount)
            for column in 0..<width {
                result[row * columnCount + block * width + column] = values[row * width + column]
            }
        }
        return result
    }
}

extension LoRALayers {
    /// Factors of which one is in blocks.
    func addBlocks(
        _ blocks: BlockDiagonalLoRA, _ linear: LinearSlot, rank: Int,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let forms = try blocks.forms(of: module)
        let count = blocks.blockCount
        guard [shape.inputCount, shape.outputCount, rank].allSatisfy({ $0 % count == 0 }) else {
            throw .unsupportedTarget(
                module: module, setting: "use_bdlora",
                reason: "its rank, inputs or outputs can't be cut into \(count) blocks",
                file: compiler.configurationFile)
        }
        let reason = "rank \(rank) in \(count) blocks of '\(module)'"
        var a = try compiler.floats(
            .factorA, at: slot, shape: [rank, shape.inputCount / (forms.a ? count : 1)],
            reason: reason)
        var b = try compiler.floats(
            .factorB, at: slot, shape: [shape.outputCount, rank / (forms.b ? count : 1)],
            reason: reason)
        if forms.a { a = blocks.expanded(a, rowCount: rank, columnCount: shape.inputCount) }
        if forms.b { b = blocks.expanded(b, rowCount: shape.outputCount, columnCount: rank) }
        let scaling = try settings.scaling(of: module)
        compiler.append(
            compiler.lowRank(a: a, b: b, rank: rank, shape, scaling: scaling), at: linear)
        // A factor in blocks has no bias.
        if !forms.b, let bias = try biasOfB(slot, outputCount: shape.outputCount, &compiler) {
            compiler.append(.bias(bias.map { scaling * $0 }), at: linear)
        }
    }
}
