internal import Adapters
package import Transformer

/// Which plan acts on which tokens of a sequence: one on all of them, or another one from some
/// token of the prompt on.
package struct PlanSchedule: Sendable {
    /// Acts from `start` on.
    package let plan: AdapterPlan
    /// Identity of what `plan` computes.
    package let key: String
    /// Acts on the tokens before `start`; nil where there are none.
    package let earlier: (plan: AdapterPlan, key: String)?
    /// The first token of `plan`; `Int.max` where it doesn't act.
    package let start: Int

    package init(_ lease: some PlanLease, prompt: [Int32]) {
        plan = lease.plan
        key = lease.key
        guard let activation = lease.activation else {
            earlier = nil
            start = 0
            return
        }
        start = activation.tokens.start(in: prompt) ?? .max
        earlier = start > 0 ? (activation.earlierPlan, activation.earlierKey) : nil
    }

    /// What acts on a token.
    package func plan(at place: Int) -> AdapterPlan {
        guard let earlier, place < start else { return plan }
        return earlier.plan
    }
}
