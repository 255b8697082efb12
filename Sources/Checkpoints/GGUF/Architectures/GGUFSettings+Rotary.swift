internal import Foundation
internal import StrictJSON

extension GGUFSettings {
    /// Theta, scaling, and the share of a head that is turned.
    ///
    /// - Parameters:
    ///   - canTurnPart: whether heads may turn in part.
    ///   - isScaled: whether the architecture has rotary scaling at all.
    mutating func addRotary(
        canTurnPart: Bool = false, isScaled: Bool = true
    ) throws(CheckpointError) {
        object["rope_theta"] = .number(try number("rope.freq_base") ?? 10_000)
        try addPart(canTurnPart)
        if isScaled { object["rope_scaling"] = try scaling() }
    }

    private mutating func addPart(_ canTurnPart: Bool) throws(CheckpointError) {
        let whole = try headDimension()
        let turned = try count("rope.dimension_count") ?? whole
        guard canTurnPart else {
            guard turned == whole else {
                throw malformed(
                    "key '\(full("rope.dimension_count"))' is \(turned), and a head has \(whole): "
                        + "this architecture turns whole heads")
            }
            return
        }
        guard turned > 0, turned <= whole else {
            throw malformed(
                "key '\(full("rope.dimension_count"))' is \(turned), and a head has \(whole)")
        }
        var part = Float(turned) / Float(whole)
        // The product is cut to a whole number where it is read.
        while Int(Float(whole) * part) < turned { part = part.nextUp }
        let exact = Double(turned) / Double(whole)
        object["partial_rotary_factor"] = .number(Float(exact) == part ? exact : Double(part))
    }

    /// llama3 scaling is stored as the divisor of each frequency; the rule that gave them is not.
    /// Beside them a factor acts as well.
    ///
    /// **Source**: llama.cpp, where a factor without type is linear, an absent factor may have its
    /// older name, 0 is none, and the type "none" turns it off.
    private mutating func scaling() throws(CheckpointError) -> JSONValue? {
        if has(GGUFTensorNames.shortFactors) { return try longScaling() }
        let type = try file.values.text(full("rope.scaling.type")) ?? "linear"
        let older = try number("rope.scale_linear")
        var factor = try number("rope.scaling.factor") ?? older ?? 1
        if factor == 0 || type == "none" { factor = 1 }
        if type == "yarn" { return try yarn(factor) }
        guard ["linear", "none"].contains(type) else {
            throw malformed(
                "key '\(full("rope.scaling.type"))' is '\(CheckpointError.shown(type))', and "
                    + "supported are linear, yarn and none")
        }
        if let magnitude = try number("rope.scaling.attn_factor"), magnitude != 0, magnitude != 1 {
            throw malformed(
                "key '\(full("rope.scaling.attn_factor"))' is \(magnitude), which is of yarn and "
                    + "of tables of factors, and the file has neither")
        }
        if has(GGUFTensorNames.rotaryFactors) {
            let divisors = try numbers(of: GGUFTensorNames.rotaryFactors)
            return .object([
                "rope_type": .string("divisors"),
                "divisors": .array(divisors.map { .number($0 * factor) }),
            ])
        }
        guard factor != 1 else { return nil }
        return .object(["rope_type": .string("linear"), "factor": .number(factor)])
    }

    /// The factor on cosines and sines follows from the scaling's own; `attn_factor` multiplies it.
    private func yarn(_ factor: Double) throws(CheckpointError) -> JSONValue {
        guard !has(GGUFTensorNames.rotaryFactors) else {
            throw malformed("it has '\(GGUFTensorNames.rotaryFactors)' beside yarn scaling")
        }
        var settings: JSONObject = ["rope_type": .string("yarn"), "factor": .number(factor)]
        let context = try integer("context_length")
        settings["original_max_position_embeddings"] =
            try integer("rope.scaling.original_context_length") ?? context
        settings["beta_fast"] = try self.factor("rope.scaling.yarn_beta_fast")
        settings["beta_slow"] = try self.factor("rope.scaling.yarn_beta_slow")
        let more = try number("rope.scaling.attn_factor") ?? 1
        if let stated = try number("rope.scaling.yarn_attn_factor"), stated > 0 {
            settings["attention_factor"] = .number(stated * (more == 0 ? 1 : more))
        } else if more != 0, more != 1 {
            let standard = factor <= 1 ? 1 : 0.1 * log(factor) + 1
            settings["attention_factor"] = .number(standard * more)
        }
        return .object(settings)
    }

    /// The short factors of LongRoPE, which hold up to the context before it was extended.
    private mutating func longScaling() throws(CheckpointError) -> JSONValue {
        func list(_ tensor: String) throws(CheckpointError) -> JSONValue {
            .array(try numbers(of: tensor).map(JSONValue.number))
        }
        object["original_max_position_embeddings"] = try integer(
            "rope.scaling.original_context_length")
        var settings: JSONObject = [
            "rope_type": .string("longrope"),
            "short_factor": try list(GGUFTensorNames.shortFactors),
            "attention_factor": try self.factor("rope.scaling.attn_factor") ?? .number(1),
        ]
        if has(GGUFTensorNames.longFactors) {
            settings["long_factor"] = try list(GGUFTensorNames.longFactors)
        }
        return .object(settings)
    }

    private func numbers(of tensor: String) throws(CheckpointError) -> [Double] {
        try file.readableTensor(tensor).floats().map(Double.init)
    }
}
