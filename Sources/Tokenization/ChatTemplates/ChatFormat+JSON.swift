import StrictJSON

extension ChatFormat {
    /// Reads what tools/goldens/chat_templates wrote; nil where it isn't that.
    init?(json: JSONObject) {
        guard let name = json["name"]?.stringValue, let roles = json["turns"]?.objectValue,
            let generation = json["generation"]?.stringValue
        else { return nil }
        var turns: [String: Turn] = [:]
        for (role, value) in roles {
            guard let turn = Turn(json: value) else { return nil }
            turns[role] = turn
        }
        func flag(_ key: String) -> Bool { json[key]?.boolValue ?? false }
        self.init(name: name, turns: turns, generation: generation)
        opening = json["opening"]?.stringValue ?? ""
        withoutSystem = json["without_system"]?.stringValue ?? ""
        if let turn = json["system"].flatMap(Turn.init) { system = .turn(turn) }
        if let turn = json["system_in_user"].flatMap(Turn.init) {
            system = .inUser(turn, isLast: json["place"]?.stringValue == "lastTurn")
        }
        trimsSystemWithUser = flag("trims_system_with_user")
        omitsEmptySystem = flag("omits_empty_system")
        needsTurn = flag("needs_turn")
        alternates = flag("alternates")
        needsBeginning = flag("needs_beginning")
        needsEnd = flag("needs_end")
        promptsAfterAnswer = json["prompts_after_answer"]?.boolValue ?? true
    }
}

extension ChatFormat.Turn {
    /// `[before, after]`, and a third element where the content is trimmed.
    fileprivate init?(json: JSONValue) {
        guard let parts = json.arrayValue?.compactMap(\.stringValue), (2...3).contains(parts.count)
        else { return nil }
        self.init(before: parts[0], after: parts[1], trims: parts.count == 3)
    }
}
