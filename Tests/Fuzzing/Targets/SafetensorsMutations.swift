import StrictJSON

/// A safetensors file taken apart, so that its header can be changed and its length told again.
struct SafetensorsParts {
    var header: JSONValue
    var data: [UInt8]

    init?(_ file: [UInt8]) {
        guard file.count >= 8 else { return nil }
        let count = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= file.count - 8,
            let header = try? JSONValue(parsing: Array(file[8..<8 + count]))
        else { return nil }
        self.header = header
        data = Array(file[(8 + count)...])
    }

    func joined(header text: [UInt8]) -> [UInt8] {
        let count = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * UInt64($0))) } + text + data
    }

    /// A mutant: of the header most times, of tensors' shapes in a way that fits their bytes, of
    /// raw bytes.
    func mutant(_ mutations: JSONMutations, _ random: inout SplitMix) -> [UInt8] {
        if random.oneIn(6) {
            var file = joined(header: Array(header.serialized().utf8))
            ByteMutations.mutate(&file, &random, head: 4096)
            return file
        }
        if random.oneIn(2), case .object(var object) = header {
            reshape(&object, &random)
            return joined(header: Array(JSONValue.object(object).serialized().utf8))
        }
        return joined(header: mutations.mutatedText(header, &random))
    }

    /// Gives some tensors other shapes of as many elements, or other names, as a trainer's mistake
    /// would.
    private func reshape(_ object: inout JSONObject, _ random: inout SplitMix) {
        for _ in 0...random.below(2) {
            let keys = object.keys.filter { $0 != "__metadata__" }
            guard !keys.isEmpty else { return }
            let key = keys[random.below(keys.count)]
            guard var tensor = object[key]?.objectValue else { continue }
            let shape = tensor["shape"]?.arrayValue?.compactMap(\.intValue) ?? []
            let count = shape.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue })
            switch random.below(7) {
            case 0: tensor["shape"] = .array(shape.reversed().map { .integer(Int64($0)) })
            case 1: tensor["shape"] = .array([.integer(Int64(count))])
            case 2: tensor["shape"] = .array([.integer(1), .integer(Int64(count))])
            case 3: tensor["shape"] = .array([.integer(0)] + shape.map { .integer(Int64($0)) })
            case 4:
                let name = keys[random.below(keys.count)] + [".x", "", ".weight"][random.below(3)]
                object[key] = nil
                object[name] = .object(tensor)
                continue
            case 5:
                object[key] = nil
                continue
            default:
                let type = ["F32", "F16", "BF16", "I64", "U8", "I32", "BOOL", "F64"]
                tensor["dtype"] = .string(type[random.below(type.count)])
            }
            object[key] = .object(tensor)
        }
        // Offsets begin at 0 without a hole: lay the tensors out anew, as far as the bytes reach.
        var offset = 0
        for key in object.keys where key != "__metadata__" {
            guard var tensor = object[key]?.objectValue else { continue }
            let offsets = tensor["data_offsets"]?.arrayValue?.compactMap(\.intValue) ?? []
            guard offsets.count == 2 else { continue }
            let length = random.oneIn(20) ? 0 : max(0, offsets[1] - offsets[0])
            tensor["data_offsets"] = .array([
                .integer(Int64(offset)), .integer(Int64(offset + length)),
            ])
            offset += length
            object[key] = .object(tensor)
        }
    }
}
