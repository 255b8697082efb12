import Glibc
internal import StrictJSON
internal import Transformer

/// RoAd: pairs of outputs turned and scaled.
///
///     base_model.model.<module>.road_theta, road_alpha    [outputs / 2], [outputs] or [2 · outputs]
///
/// Outputs come in groups of `group_size`; output i of a group's first half and output i of its
/// second half, y1 and y2, become c1 y1 − s1 y2 and c2 y2 + s2 y1, with c = α cos θ and s = α sin
/// θ. The biases turn with them. `variant` says which of θ and α are shared: road_1 has one for
/// both outputs of a pair, road_2 one an output, road_4 one each for c and s.
///
/// **Source**: arXiv 2409.00119; PEFT 0.21.
enum RoAd: LinearTuner {
    private static let angles = TensorPart(".road_theta")
    private static let lengths = TensorPart(".road_alpha")

    enum Variant: String {
        case one = "road_1"
        case two = "road_2"
        case four = "road_4"
    }

    struct Settings {
        let variant: Variant
        let groupSize: Int
    }

    static let name = "RoAd"
    static let parts: [TensorPart] = [angles, lengths]

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let text = try configuration.text("variant") ?? Variant.one.rawValue
        guard let variant = Variant(rawValue: text) else {
            throw configuration.invalid(
                "variant", .string(text), expected: "\"road_1\", \"road_2\" or \"road_4\"")
        }
        let name = "group_size"
        let size = try configuration.optionalCount(name, limit: 1 << 20) ?? 64
        guard size % 2 == 0 else {
            throw configuration.invalid(name, .integer(Int64(size)), expected: "an even number")
        }
        return Settings(variant: variant, groupSize: size)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let count = compiler.slots.shape(of: linear).outputCount
        guard count % settings.groupSize == 0 else {
            throw .unsupportedTarget(
                module: module, setting: "group_size",
                reason: "its \(count) outputs are no whole number of groups of "
                    + "\(settings.groupSize)", file: compiler.configurationFile)
        }
        let valueCount: Int
        switch settings.variant {
        case .one: valueCount = count / 2
        case .two: valueCount = count
        case .four: valueCount = 2 * count
        }
        let reason =
            "'variant' is \"\(settings.variant.rawValue)\" and '\(module)' has "
            + "\(count) outputs"
        let angles = try compiler.floats(angles, at: slot, shape: [valueCount], reason: reason)
        let lengths = try compiler.floats(lengths, at: slot, shape: [valueCount], reason: reason)
        let entries = (0..<count).flatMap { output in
            Self.entries(of: output, settings, angles, lengths)
        }
        compiler.append(
            .output(SparseMap(inputCount: count, outputCount: count, entries: entries)),
            at: linear)
        if let bias = compiler.base.bias(at: linear) {
            var change = [Float](repeating: 0, count: count)
            for entry in entries { change[entry.output] += entry.value * bias[entry.input] }
            compiler.append(.bias(change), at: linear)
        }
    }

    /// What the pair of an output adds to it.
    private static func entries(
        of output: Int, _ settings: Settings, _ angles: [Float], _ lengths: [Float]
    ) -> [(output: Int, input: Int, value: Float)] {
        let (size, half) = (settings.groupSize, settings.groupSize / 2)
        let (group, place) = (output / size, output % size)
        let own: Int
        let other: Int
        switch settings.variant {
        case .one:
            own = group * half + place % half
            other = own
        case .two:
            own = output
            other = own
        case .four:
            own = group * 2 * size + place
            other = own + size
        }
        let cosine = lengths[own] * cos(angles[own])
        let sine = lengths[other] * sin(angles[other])
        return [
            (output, output, cosine - 1),
            place < half ? (output, output + half, -sine) : (output, output - half, sine),
        ]
    }
}
