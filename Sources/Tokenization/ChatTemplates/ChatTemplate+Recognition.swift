extension ChatTemplate {
    /// Recognises a template by the marks that its family writes.
    /// - Parameters:
    ///   - beginningText: the spelling of the beginning token, `bos_token` in the template.
    ///   - endText: the spelling of the end token, `eos_token` in the template.
    /// - Throws: `unknownChatTemplate`.
    public static func recognise(
        _ template: String, beginningText: String, endText: String
    ) throws(TokenizationError) -> ChatTemplate {
        let text = TemplateText(template)
        guard !text.contains("reasoning_content"), !text.contains("<think>"),
            let family = try family(of: text)
        else { throw .unknownChatTemplate(known: knownNames) }
        return ChatTemplate(
            family: family, writesBeginning: text.contains("bos_token"),
            beginningText: beginningText,
            endText: endText)
    }

    private static func family(of text: TemplateText) throws(TokenizationError) -> Family? {
        if text.contains("<|im_start|>") && text.contains("<|im_end|>") {
            return .chatML(
                defaultSystem: try text.capture(#"<\|im_start\|>system\n([^'"{}<]+)<\|im_end\|>"#),
                trims: try text.capture(#"(content['"]?\]?\s*(?:\|\s*trim|\.strip\(\)))"#) != nil)
        }
        if text.contains("<|start_header_id|>") && text.contains("<|eot_id|>") {
            return .llama3(header: try dateHeader(of: text))
        }
        if text.contains("<start_of_turn>") && text.contains("<end_of_turn>") {
            return .gemma(takesSystem: text.contains("first_user_prefix"))
        }
        if text.contains("[INST]") && text.contains("<<SYS>>") { return .llama2 }
        if text.contains("[INST]") { return try mistralStyle(of: text).map { .mistral($0) } }
        if text.contains("<|user|>") && text.contains("<|assistant|>") && text.contains("eos_token")
        {
            return text.contains("<|end|>") ? nil : .zephyr
        }
        return nil
    }

    private static func dateHeader(of text: TemplateText) throws(TokenizationError) -> DateHeader? {
        guard let knowledge = try text.capture(#"Cutting Knowledge Date: ([^\n'"]+)\n"#) else {
            return nil
        }
        let fixed = try text.capture(#"date_string\s*=\s*['"]([^'"]+)['"]"#)
        return DateHeader(
            knowledgeDate: knowledge, today: text.contains("strftime_now") ? nil : fixed)
    }

    private static func mistralStyle(of text: TemplateText) throws(TokenizationError)
        -> MistralStyle?
    {
        guard let beforeUser = try text.capture(#"['"](\s*\[INST\]\s*)['"]\s*\+"#),
            let afterUser = try text.capture(#"\+\s*['"](\s*\[/INST\]\s*)['"]"#)
        else { return nil }
        let content = #"message(?:\[['"]content['"]\]|\.content)"#
        let answer = content + #"\s*(?:\|\s*trim)?\s*\+\s*eos_token"#
        let system: MistralStyle.SystemPlace =
            if text.contains("loop.last and system_message") {
                .lastUser
            } else if text.contains("loop.first and system_message") { .firstUser } else {
                .refused
            }
        return MistralStyle(
            beforeUser: beforeUser, afterUser: afterUser,
            beforeAssistant: try text.capture(#"['"](\s*)['"]\s*\+\s*"# + answer) ?? "",
            afterAssistant: try text.capture(answer + #"\s*\+\s*['"](\s*)['"]"#) ?? "",
            trimsAssistant: try text.capture("(" + content + #"\s*\|\s*trim\s*\+\s*eos_token)"#)
                != nil,
            system: system)
    }
}

/// A Jinja template's text with the escapes of its string literals resolved.
private struct TemplateText {
    private let text: String

    init(_ template: String) {
        text = template.split(separator: "\\n", omittingEmptySubsequences: false)
            .joined(separator: "\n")
    }

    func contains(_ mark: String) -> Bool { !text.ranges(of: mark).isEmpty }

    /// What the first group of `pattern` matches first.
    func capture(_ pattern: String) throws(TokenizationError) -> String? {
        let expression = try RegularExpression(pattern)
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TokenizationError) in try expression.firstCapture(in: bytes) }
        }
        return try result.get().map { String(decoding: bytes[$0], as: UTF8.self) }
    }
}
