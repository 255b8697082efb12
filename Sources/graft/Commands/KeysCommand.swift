internal import ArgumentParser
import Checkpoints
import StrictJSON
import Tokenization
import Transformer

/// `graft keys`: what becomes of each key of a base's files. docs/base-files.md is written from it.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Lists the keys of a base's files: read, without effect, or refused.",
        discussion: """
            A key that isn't listed is ignored, with a warning that names it. '*' stands for any text, \
            '{arch}' for a GGUF file's architecture.
            """)

    @Flag(help: "Print one JSON object.") var json = false

    /// A table for each kind of file.
    private static let tables =
        ConfigurationKeys.tables + [GenerationKeys.table] + GGUFKeys.tables + TokenizerKeys.tables

    func run() {
        guard json else {
            for table in Self.tables {
                print(table.file)
                for key in table.keys {
                    print("  " + key.name.padding(44), key.fate.text + ": " + key.note)
                }
            }
            return
        }
        let tables = Self.tables.map { table in
            JSONValue.object([
                "file": .string(table.file), "keys": .array(table.keys.map(entry)),
            ])
        }
        print(JSONValue.object(["tables": .array(tables)]).serialized())
    }

    private func entry(_ key: KnownKey) -> JSONValue {
        .object([
            "name": .string(key.name), "fate": .string(key.fate.text), "note": .string(key.note),
        ])
    }
}

extension KnownKey.Fate {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .read: "read"
        case .withoutEffect: "without effect"
        case .refused(let harmless):
            harmless.isEmpty
                ? "refused"
                : "refused unless "
                    + harmless.map { $0.serialized() }.joined(separator: " or ")
        }
    }
}
