internal import StrictJSON

/// A vocabulary as one JSON object, for the metadata of a `model.bin`.
extension GGUFVocabulary {
    /// Pieces are strings; the rare piece that is not UTF-8 is a list of its bytes.
    func jsonObject() -> JSONObject {
        var object: JSONObject = ["model": .string(model)]
        object["pre"] = preTokenizer.map(JSONValue.string)
        object["pieces"] = .array(pieces.map(Self.json(piece:)))
        object["scores"] = .array(scores.map { .number(Double($0)) })
        object["types"] = .array(types.map { .integer(Int64($0)) })
        object["merges"] = .array(merges.map(JSONValue.string))
        object["bos"] = Self.json(beginningToken)
        object["eos"] = Self.json(endToken)
        object["unknown"] = Self.json(unknownToken)
        object["padding"] = Self.json(paddingToken)
        object["end_of_turn"] = .array(endOfTurnTokens.map { .integer(Int64($0)) })
        object["add_bos"] = addsBeginning.map(JSONValue.bool)
        object["add_eos"] = addsEnd.map(JSONValue.bool)
        object["add_space_prefix"] = addsSpacePrefix.map(JSONValue.bool)
        return object
    }

    /// Nil when the object was not written by `jsonObject()`.
    init?(jsonObject object: JSONObject) {
        guard let model = object["model"]?.stringValue,
            let pieces = Self.list(object["pieces"], Self.piece(json:)),
            let scores = Self.list(object["scores"], { $0.doubleValue.map(Float.init) }),
            let types = Self.list(object["types"], { $0.intValue.flatMap(Int32.init(exactly:)) }),
            let merges = Self.list(object["merges"], \.stringValue),
            let endOfTurnTokens = Self.list(object["end_of_turn"], \.intValue)
        else { return nil }
        self.init(
            model: model, preTokenizer: object["pre"]?.stringValue,
            pieces: ByteStrings(pieces), scores: scores,
            types: types, merges: merges, beginningToken: object["bos"]?.intValue,
            endToken: object["eos"]?.intValue, unknownToken: object["unknown"]?.intValue,
            paddingToken: object["padding"]?.intValue, endOfTurnTokens: endOfTurnTokens,
            addsBeginning: object["add_bos"]?.boolValue, addsEnd: object["add_eos"]?.boolValue,
            addsSpacePrefix: object["add_space_prefix"]?.boolValue)
    }

    private static func json(piece: ArraySlice<UInt8>) -> JSONValue {
        if let text = String(validating: piece, as: UTF8.self) { return .string(text) }
        return .array(piece.map { .integer(Int64($0)) })
    }

    private static func json(_ token: Int?) -> JSONValue? { token.map { .integer(Int64($0)) } }

    private static func piece(json: JSONValue) -> [UInt8]? {
        if let text = json.stringValue { return [UInt8](text.utf8) }
        return list(json) { $0.intValue.flatMap(UInt8.init(exactly:)) }
    }

    /// All elements converted; nil when one can't be.
    private static func list<Element>(
        _ value: JSONValue?, _ convert: (JSONValue) -> Element?
    ) -> [Element]? {
        guard let elements = value?.arrayValue else { return nil }
        var list: [Element] = []
        list.reserveCapacity(elements.count)
        for element in elements {
            guard let converted = convert(element) else { return nil }
            list.append(converted)
        }
        return list
    }
}
