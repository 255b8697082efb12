internal import StrictJSON

/// Which modules a combination targets, as its configuration says it.
///
/// PEFT unites the lists, or joins the regular expressions. Its result takes all other settings
/// from the first adapter, so that one that limits the first to some layers would drop the others'
/// modules: then every module is listed by its whole name instead.
struct CombinedTargets {
    /// The value of `target_modules`.
    let value: JSONValue

    private static let limiting = ["exclude_modules", "layers_to_transform", "layers_pattern"]

    /// Settings that must be cleared in the first adapter's configuration.
    static var clearedSettings: [String] { limiting }

    /// - Parameter modules: all modules that any of the adapters changes.
    /// - Throws: `AdapterError.uncombinable` for lists beside regular expressions, as PEFT does.
    init(_ adapters: [AdapterCombination.Part], modules: [String]) throws(AdapterError) {
        let targets = adapters.map { $0.lora.configuration["target_modules"] ?? .null }
        let expressions = targets.compactMap(\.stringValue)
        if let index = targets.firstIndex(where: { ($0.stringValue == nil) != expressions.isEmpty })
        {
            throw .uncombinable(
                adapter: adapters[index].name,
                reason: "one adapter's 'target_modules' is a list, another's a regular expression, "
                    + "which PEFT doesn't combine")
        }
        let isLimited = adapters.contains { adapter in
            Self.limiting.contains { adapter.lora.configuration[$0]?.isUnset == false }
        }
        if isLimited || expressions.contains("all-linear") {
            value = .array(modules.map(JSONValue.string))
        } else if expressions.isEmpty {
            let names = targets.flatMap { $0.arrayValue ?? [] }.compactMap(\.stringValue)
            value = .array(Set(names).sorted().map(JSONValue.string))
        } else {
            value = .string(expressions.map { "(\($0))" }.joined(separator: "|"))
        }
    }
}
