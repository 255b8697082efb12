/// How a base wants a conversation written, known by the whole text of its Jinja template.
///
/// The template itself is not run: its text is looked up in a table of templates whose renderings
/// were compared with jinja2's. Any other template is refused, however alike it looks.
public struct ChatTemplate: Sendable, Equatable {
    let format: ChatFormat
    /// The spelling of the beginning token, `bos_token` in the template; nil where the vocabulary
    /// has none.
    let beginningText: String?
    /// The spelling of the end token, `eos_token` in the template.
    let endText: String?

    /// Looks a template up.
    /// - Throws: `unknownChatTemplate`.
    public static func recognise(
        _ template: String, beginningText: String?, endText: String?
    ) throws(TokenizationError) -> ChatTemplate {
        guard let format = KnownChatTemplates.format(of: template) else {
            throw .unknownChatTemplate
        }
        return ChatTemplate(format: format, beginningText: beginningText, endText: endText)
    }

    /// The known template whose text has this SHA-256; nil where there is none.
    package static func known(
        hash: String, beginningText: String?, endText: String?
    ) -> ChatTemplate? {
        KnownChatTemplates.format(hash: hash).map {
            ChatTemplate(format: $0, beginningText: beginningText, endText: endText)
        }
    }

    /// The family's name.
    public var name: String { format.name }

    /// Spellings of tokens that end a turn. A template that writes one of them, known or not, is of
    /// a model that was trained to end its answers so.
    static func turnEnds(in template: String) -> [String] {
        ["<|im_end|>", "<|eot_id|>", "<end_of_turn>"].filter { template.ranges(of: $0).count > 0 }
    }
}
