extension ChatTemplate {
    /// The conversation as text, up to where the assistant's answer begins.
    ///
    /// The text spells special tokens out, the beginning token included where the template writes one; encode it with
    /// `addingSpecialTokens: false`.
    /// - Parameter today: the date in Llama 3's header, as in “26 Jul 2024”; nil reads the clock.
    /// - Throws: `conversation` where the template refuses a role or its place.
    public func render(
        _ messages: [ChatMessage], today: String? = nil
    ) throws(TokenizationError) -> String {
        guard !messages.isEmpty else { throw refusal("it has no messages") }
        for message in messages { try checkRole(message.role) }
        switch family {
        case .chatML(let defaultSystem, let trims):
            return chatML(messages, defaultSystem: defaultSystem, trims: trims)
        case .llama2: return try llama2(messages)
        case .llama3(let header): return llama3(messages, header: header, today: today)
        case .gemma(let takesSystem): return try gemma(messages, takesSystem: takesSystem)
        case .mistral(let style): return try mistral(messages, style)
        case .zephyr: return zephyr(messages)
        }
    }

    private var beginning: String { writesBeginning ? beginningText : "" }

    private func chatML(_ messages: [ChatMessage], defaultSystem: String?, trims: Bool) -> String {
        var text = beginning
        if let defaultSystem, messages.first?.role != "system" {
            text += "<|im_start|>system\n\(defaultSystem)<|im_end|>\n"
        }
        for message in messages {
            let content = trims ? message.content.trimmed : message.content
            text += "<|im_start|>\(message.role)\n\(content)<|im_end|>\n"
        }
        return text + "<|im_start|>assistant\n"
    }

    private func llama2(_ messages: [ChatMessage]) throws(TokenizationError) -> String {
        let (system, turns) = try splitSystem(messages)
        var text = ""
        for (index, message) in turns.enumerated() {
            var content = message.content
            if index == 0, let system { content = "<<SYS>>\n\(system)\n<</SYS>>\n\n\(content)" }
            text +=
                message.role == "user"
                ? "\(beginning)[INST] \(content.trimmed) [/INST]"
                : " \(content.trimmed) \(endText)"
        }
        return text
    }

    private func llama3(_ messages: [ChatMessage], header: DateHeader?, today: String?) -> String {
        var text = beginning
        var messages = messages[...]
        func message(_ role: String, _ content: String) -> String {
            "<|start_header_id|>\(role)<|end_header_id|>\n\n\(content)<|eot_id|>"
        }
        if let header {
            let system =
                messages.first?.role == "system" ? messages.removeFirst().content.trimmed : ""
            let date = header.today ?? today ?? CalendarDate.today()
            text += message(
                "system",
                "Cutting Knowledge Date: \(header.knowledgeDate)\nToday Date: \(date)\n\n\(system)")
        }
        for turn in messages { text += message(turn.role, turn.content.trimmed) }
        return text + "<|start_header_id|>assistant<|end_header_id|>\n\n"
    }

    private func gemma(
        _ messages: [ChatMessage], takesSystem: Bool
    ) throws(TokenizationError) -> String {
        if !takesSystem && messages.first?.role == "system" {
            throw refusal("it has no place for a system message")
        }
        let (system, turns) = try splitSystem(messages)
        var text = beginning
        for (index, message) in turns.enumerated() {
            let role = message.role == "assistant" ? "model" : message.role
            let prefix = index == 0 ? system.map { $0 + "\n\n" } ?? "" : ""
            text += "<start_of_turn>\(role)\n\(prefix)\(message.content.trimmed)<end_of_turn>\n"
        }
        return text + "<start_of_turn>model\n"
    }

    private func mistral(
        _ messages: [ChatMessage], _ style: MistralStyle
    ) throws(TokenizationError) -> String {
        if style.system == .refused && messages.first?.role == "system" {
            throw refusal("it has no place for a system message")
        }
        let (system, turns) = try splitSystem(messages)
        let systemIndex = style.system == .lastUser ? turns.count - 1 : 0
        var text = beginning
        for (index, message) in turns.enumerated() {
            if message.role == "user" {
                let prefix = index == systemIndex ? system.map { $0 + "\n\n" } ?? "" : ""
                text += style.beforeUser + prefix + message.content + style.afterUser
            } else {
                let content = style.trimsAssistant ? message.content.trimmed : message.content
                text += style.beforeAssistant + content + endText + style.afterAssistant
            }
        }
        return text
    }

    private func zephyr(_ messages: [ChatMessage]) -> String {
        var text = beginning
        for message in messages { text += "<|\(message.role)|>\n\(message.content)\(endText)\n" }
        return text + "<|assistant|>\n"
    }
}

extension ChatTemplate {
    private func refusal(_ reason: String) -> TokenizationError {
        .conversation(template: name, reason: reason)
    }

    private func checkRole(_ role: String) throws(TokenizationError) {
        var roles = ["system", "user", "assistant"]
        if case .chatML = family { roles.append("tool") }
        guard roles.contains(role) else {
            throw refusal("the role '\(role)' is not one of \(roles.joined(separator: ", "))")
        }
    }

    /// A first system message, and turns that alternate between user and assistant.
    private func splitSystem(
        _ messages: [ChatMessage]
    ) throws(TokenizationError) -> (system: String?, turns: ArraySlice<ChatMessage>) {
        let hasSystem = messages.first?.role == "system"
        let turns = messages.dropFirst(hasSystem ? 1 : 0)
        for (index, message) in turns.enumerated()
        where message.role != (index % 2 == 0 ? "user" : "assistant") {
            throw refusal(
                "after an optional system message, roles must alternate user, assistant, user, …")
        }
        return (hasSystem ? messages.first?.content : nil, turns)
    }
}

extension String {
    /// Without white space at both ends, as Python's `str.strip` has it.
    fileprivate var trimmed: String {
        let scalars = unicodeScalars
        func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(scalars[first...last])
    }
}
