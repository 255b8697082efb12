extension ChatTemplate {
    /// The conversation as text, up to where the assistant's answer begins.
    ///
    /// The text spells special tokens out, the beginning token included where the template writes
    /// one; encode it with `addingSpecialTokens: false`.
    /// - Parameter today: the date where the template writes it, as in “26 Jul 2024”; nil reads the
    ///   clock.
    /// - Throws: `conversation` where the template refuses a role or its place.
    public func render(
        _ messages: [ChatMessage], today: String? = nil
    ) throws(TokenizationError) -> String {
        try text(of: messages, contents: .parse, today: today).string
    }

    /// The conversation as text in which the contents of messages are marked.
    /// - Parameter contents: what special tokens are that are spelled in the contents of messages.
    /// - Throws: as ``render(_:today:)``.
    public func text(
        of messages: [ChatMessage], contents: SpecialTokens, today: String? = nil
    ) throws(TokenizationError) -> PromptText {
        guard let first = messages.first else { throw refusal("it has no messages") }
        try checkTokens()
        var writer = Writer(template: self, contents: contents, today: today)
        writer.write(format.opening)
        guard first.role == "system" else {
            writer.write(format.withoutSystem)
            return try write(messages[...], inside: nil, &writer)
        }
        let turns = messages.dropFirst()
        guard !(turns.isEmpty && format.needsTurn) else { throw refusal("it has no user message") }
        switch format.system {
        case .none: throw refusal("it has no place for a system message")
        case .turn(let turn):
            let content = turn.trims ? first.content.trimmed : first.content
            if !(content.isEmpty && format.omitsEmptySystem) { writer.write(turn, content) }
            return try write(turns, inside: nil, &writer)
        case .inUser(let turn, let isLast):
            guard !turns.isEmpty else { throw refusal("it has no user message") }
            let content = turn.trims ? first.content.trimmed : first.content
            let isOmitted = content.isEmpty && format.omitsEmptySystem
            let place = isLast ? turns.endIndex - 1 : turns.startIndex
            return try write(
                turns, inside: isOmitted ? nil : (turn, content, place), &writer)
        }
    }

    /// Writes the messages behind a first system message.
    /// - Parameter system: what goes into which message.
    private func write(
        _ turns: ArraySlice<ChatMessage>, inside system: (ChatFormat.Turn, String, place: Int)?,
        _ writer: inout Writer
    ) throws(TokenizationError) -> PromptText {
        for (index, message) in zip(turns.indices, turns) {
            let turn = try turn(of: message.role, at: index - turns.startIndex)
            if let (inner, content, place) = system, index == place, message.role == "user" {
                let holder = ChatFormat.Turn(before: turn.before, after: turn.after)
                writer.write(holder.before)
                if format.trimsSystemWithUser {
                    writer.write(inner.before)
                    writer.write(inner, content, and: message.content)
                } else {
                    writer.write(inner, content)
                    writer.write(content: turn.trims ? message.content.trimmed : message.content)
                }
                writer.write(holder.after)
            } else {
                writer.write(turn, turn.trims ? message.content.trimmed : message.content)
            }
        }
        if format.promptsAfterAnswer || turns.last?.role != "assistant" {
            writer.write(format.generation)
        }
        return writer.text
    }

    private func turn(
        of role: String, at index: Int
    ) throws(TokenizationError) -> ChatFormat.Turn {
        guard let turn = format.turns[role] else {
            guard role != "system" else {
                throw refusal("a system message has its place at the beginning only")
            }
            throw refusal("the role '\(role)' is not one of \(roles.joined(separator: ", "))")
        }
        if format.alternates && role != (index % 2 == 0 ? "user" : "assistant") {
            throw refusal(
                "after an optional system message, roles must alternate user, assistant, user, …")
        }
        return turn
    }

    /// The roles that the template writes, in the order in which one speaks of them.
    private var roles: [String] {
        ["system", "user", "assistant", "tool"].filter {
            format.turns[$0] != nil || ($0 == "system" && format.system != .none)
        }
    }

    private func checkTokens() throws(TokenizationError) {
        for (isMissing, name) in [
            (format.needsBeginning && beginningText == nil, "beginning"),
            (format.needsEnd && endText == nil, "end"),
        ] where isMissing {
            throw refusal("it writes the \(name) token, and the vocabulary has none")
        }
    }

    private func refusal(_ reason: String) -> TokenizationError {
        .conversation(template: name, reason: reason)
    }
}

/// Joins the texts of a template and the contents of messages.
private struct Writer {
    private let replacements: [(mark: String, text: String)]
    private let contents: SpecialTokens
    private(set) var text = PromptText()

    init(template: ChatTemplate, contents: SpecialTokens, today: String?) {
        replacements = [
            ("{bos}", template.beginningText ?? ""), ("{eos}", template.endText ?? ""),
            ("{today}", today ?? CalendarDate.today()),
        ]
        self.contents = contents
    }

    /// A text of the template.
    mutating func write(_ markup: String) {
        text.append(
            replacements.reduce(markup) { $0.replacing($1.mark, with: $1.text) },
            specialTokens: .parse)
    }

    mutating func write(content: String) { text.append(content, specialTokens: contents) }

    mutating func write(_ turn: ChatFormat.Turn, _ content: String) {
        write(turn.before)
        write(content: content)
        write(turn.after)
    }

    /// What stands behind a system message's `before`, without white space at the end of it all.
    mutating func write(
        _ turn: ChatFormat.Turn, _ system: String, and content: String
    ) {
        let end = content.trimmedAtEnd
        guard end.isEmpty else {
            write(content: system)
            write(turn.after)
            return write(content: end)
        }
        let after = turn.after.trimmedAtEnd
        write(content: after.isEmpty ? system.trimmedAtEnd : system)
        write(after)
    }
}

extension String {
    /// Without white space at both ends, as Python's `str.strip` has it.
    fileprivate var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !Self.isSpace($0) }) else { return "" }
        return String(scalars[first...]).trimmedAtEnd
    }

    fileprivate var trimmedAtEnd: String {
        let scalars = unicodeScalars
        guard let last = scalars.lastIndex(where: { !Self.isSpace($0) }) else { return "" }
        return String(scalars[...last])
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
}
