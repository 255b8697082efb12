/// What becomes of each setting or key that files of one format have.
///
/// A name that isn't listed is a warning that names it, or a refusal when adapters are read
/// strictly.
struct SettingTable: Sendable {
    /// What a setting is used for.
    enum Use: Sendable, Equatable {
        /// It changes what is served, or how the tensors are understood.
        case read
        /// What it says is held against the tensors or the base.
        case held
        /// The adapter is refused where it is set.
        case refused(String)
        /// It changes nothing here, for this reason.
        case without(String)
    }

    struct Entry: Sendable {
        /// The whole name, or its beginning where it ends in a star.
        let name: String
        let use: Use

        init(_ name: String, _ use: Use) {
            self.name = name
            self.use = use
        }
    }

    /// Whose settings they are, for `docs/foreign-adapters.md`.
    let title: String
    let entries: [Entry]

    /// Nil for a name that nobody knows; the entry with most of the name counts.
    func use(of name: String) -> Use? {
        let entries = entries.filter { entry in
            entry.name.hasSuffix("*")
                ? name.hasPrefix(entry.name.dropLast()) : entry.name == name
        }
        return entries.max { $0.name.utf8.count < $1.name.utf8.count }?.use
    }
}
