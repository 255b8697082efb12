import StrictJSON

/// Changes of a JSON text that keep most of it: values of other types and sizes, members that are
/// gone, doubled, renamed or nested.
struct JSONMutations {
    /// Keys that the reader may know, put where others are.
    var keys: [String] = []

    private static let numbers: [JSONValue] = [
        .integer(0), .integer(-1), .integer(1), .integer(2), .integer(7), .integer(1023),
        .integer(32768), .integer(16_777_216), .integer(2_147_483_647), .integer(2_147_483_648),
        .integer(1 << 40), .integer(.max), .integer(.min), .unsigned(.max), .number(0.5),
        .number(-0.0), .number(1e308), .number(1e-308), .number(4), .number(1e19),
    ]
    private static let texts = [
        "", "a", "q_proj", "all-linear", ".*", "(a+)+$", "a*a*a*b", "(", "\\", "é", "e\u{301}",
        "\u{0}", "../../x", "/", "<s>", "\u{ffff}", "model.layers.0.self_attn.q_proj", "true",
        "base_model.model.", "bfloat16", "𝔘",
    ]

    func mutate(_ value: inout JSONValue, _ random: inout SplitMix) {
        for _ in 0...random.below(3) { change(&value, &random, depth: 0) }
    }

    /// A text that may no longer be JSON.
    func mutatedText(_ value: JSONValue, _ random: inout SplitMix) -> [UInt8] {
        var value = value
        mutate(&value, &random)
        var bytes = Array(value.serialized().utf8)
        if random.oneIn(6) { ByteMutations.mutate(&bytes, &random) }
        return bytes
    }

    private func change(_ value: inout JSONValue, _ random: inout SplitMix, depth: Int) {
        // Most changes are inside.
        switch value {
        case .object(var object) where !object.isEmpty && !random.oneIn(6):
            changeMember(&object, &random, depth: depth)
            value = .object(object)
        case .array(var array) where !array.isEmpty && !random.oneIn(6):
            changeElement(&array, &random, depth: depth)
            value = .array(array)
        default: value = replacement(value, &random)
        }
    }

    private func changeMember(_ object: inout JSONObject, _ random: inout SplitMix, depth: Int) {
        let key = object.keys[random.below(object.count)]
        switch random.below(8) {
        case 0: object[key] = nil
        case 1: object[otherKey(&random)] = object[key]
        case 2:
            object[otherKey(&random)] = Self.numbers[random.below(Self.numbers.count)]
        default:
            guard var member = object[key] else { return }
            change(&member, &random, depth: depth + 1)
            object[key] = member
        }
    }

    private func changeElement(_ array: inout [JSONValue], _ random: inout SplitMix, depth: Int) {
        let place = random.below(array.count)
        switch random.below(7) {
        case 0: array.remove(at: place)
        case 1: array.insert(array[random.below(array.count)], at: place)
        case 2:
            let element = array[place]
            array += (0..<random.below(200)).map { _ in element }
        default: change(&array[place], &random, depth: depth + 1)
        }
    }

    private func otherKey(_ random: inout SplitMix) -> String {
        guard !keys.isEmpty, !random.oneIn(4) else {
            return Self.texts[random.below(Self.texts.count)]
        }
        return keys[random.below(keys.count)]
    }

    private func replacement(_ value: JSONValue, _ random: inout SplitMix) -> JSONValue {
        switch random.below(12) {
        case 0: .null
        case 1: .bool(random.oneIn(2))
        case 2: .array([])
        case 3: .object([:])
        case 4: .array([value, value])
        case 5: .object([otherKey(&random): value])
        case 6: .string(Self.texts[random.below(Self.texts.count)])
        case 7: .string(String(repeating: "ab*", count: 1 << random.below(12)))
        case 8:
            (0..<random.below(80)).reduce(value) { inner, _ in .array([inner]) }
        default: Self.numbers[random.below(Self.numbers.count)]
        }
    }
}

extension JSONValue {
    /// Every key in it, once.
    var allKeys: Set<String> {
        switch self {
        case .object(let object):
            object.reduce(into: Set(object.keys)) { $0.formUnion($1.value.allKeys) }
        case .array(let array): array.reduce(into: []) { $0.formUnion($1.allKeys) }
        default: []
        }
    }
}
