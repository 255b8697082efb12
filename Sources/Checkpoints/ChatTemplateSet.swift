package import StrictJSON

/// The chat templates of a checkpoint: the one that counts where a request names none, and the
/// names of others.
package struct ChatTemplateSet: Sendable, Equatable {
    package var standard: String?
    package var names: [String] = []

    package init(standard: String? = nil, names: [String] = []) {
        self.standard = standard
        self.names = names
    }

    /// `chat_template` of a `tokenizer_config.json`: a text, a list of named texts, or an object of
    /// them, of which “default” counts.
    package init(_ value: JSONValue?) {
        self.init(standard: value?.stringValue)
        var named: [(String, String?)] = []
        if let list = value?.arrayValue {
            named = list.compactMap(\.objectValue).compactMap { entry in
                entry["name"]?.stringValue.map { ($0, entry["template"]?.stringValue) }
            }
        } else if let object = value?.objectValue {
            named = object.map { ($0.key, $0.value.stringValue) }
        }
        for (name, text) in named {
            if name == "default" { standard = text } else { names.append(name) }
        }
    }

    /// What a tokenizer came with.
    package init(_ assets: TokenizerAssets) {
        self.init(assets.tokenizerConfig?["chat_template"])
        if let text = assets.chatTemplate { standard = text }
        names += assets.chatTemplateNames.filter { !names.contains($0) }
    }
}
