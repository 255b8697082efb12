internal import Synchronization

/// What checking found of adapters, by recipe: their configuration and what tensors they have, all
/// but the values. What holds for one adapter of a recipe holds for all, so that of a thousand made
/// alike one is compiled.
final class CheckedRecipes: Sendable {
    private struct Found {
        let facts: AdapterFacts
        /// Of the adapter that was checked, which its warnings name.
        let path: String
    }

    private let found = Mutex<[String: Found]>([:])

    /// - Parameters:
    ///   - path: of the adapter at hand.
    ///   - hash: of its content; empty where that wasn't read.
    /// - Returns: nil for a recipe that is new.
    func facts(_ recipe: String, path: String, hash: String) -> AdapterFacts? {
        guard let known = found.withLock({ $0[recipe] }) else { return nil }
        var facts = known.facts
        facts.hash = hash
        facts.warnings = facts.warnings.map { warning in
            warning.hasPrefix(known.path) ? path + warning.dropFirst(known.path.count) : warning
        }
        return facts
    }

    func remember(_ facts: AdapterFacts, recipe: String, path: String) {
        found.withLock { $0[recipe] = Found(facts: facts, path: path) }
    }
}
