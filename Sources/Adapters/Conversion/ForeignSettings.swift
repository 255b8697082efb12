/// What `docs/foreign-settings.md` lists: each setting of other libraries' files, and what becomes
/// of it.
package enum ForeignSettings {
    private static let tables = [
        GGUFLoRA.keys, AdapterHub.wholeTable, AdapterHub.bottleneckTable, AdapterHub.loraTable,
        AdapterHub.prefixTable,
        AdapterHub.unionTable, Loralib.table, PrefixEncoder.table,
    ]

    /// The document.
    package static var text: String {
        head + tables.map(section).joined(separator: "\n")
    }

    private static let head = """
        # Settings of other libraries' adapters

        Written by the tests from the program's own tables. *Read*: it changes what is served, or how tensors are
        understood. *Held*: what it says must be true of the tensors or the base. *Refused*: an adapter that sets it
        isn't served. *Without effect*: passed over, for the reason given. A setting that isn't listed is a warning
        that names it, or a refusal with `--strict-adapters`; a star stands for any ending.


        """

    private static func section(_ table: SettingTable) -> String {
        let rows = table.entries.map { "| `\($0.name)` | \(meaning($0.use)) |\n" }
        return "## \(table.title)\n\n| setting | use |\n|---|---|\n" + rows.joined()
    }

    private static func meaning(_ use: SettingTable.Use) -> String {
        switch use {
        case .read: "read"
        case .held: "held"
        case .refused(let reason): "refused: \(reason)"
        case .without(let reason): "without effect: \(reason)"
        }
    }
}
