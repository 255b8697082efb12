internal import ArgumentParser
import Foundation

/// `--adapter name=path`, or a path alone, whose last component is the name then.
struct AdapterOption: ExpressibleByArgument {
    let name: String
    let path: String
    /// True when its values are read with the first request that asks for it, not at the start.
    let isLazy: Bool

    init(name: String, path: String, isLazy: Bool = false) {
        self.name = name
        self.path = path
        self.isLazy = isLazy
    }

    /// Nil, which the parser answers with a sentence, when there is no name or no path.
    init?(argument: String) {
        if let separator = argument.firstIndex(of: "=") {
            name = String(argument[..<separator])
            path = String(argument[argument.index(after: separator)...])
        } else {
            path = argument
            name = ((argument as NSString).lastPathComponent as NSString).deletingPathExtension
        }
        isLazy = false
        guard !name.isEmpty, !path.isEmpty else { return nil }
    }

    static let help = ArgumentHelp(
        "An adapter: a PEFT directory, a .lora file or a GGUF LoRA; repeatable.",
        valueName: "name=path")
}
