public import Adapters
public import Transformer

/// The hold that a request has on its adapters, as the engine sees it.
public protocol PlanLease: Sendable {
    /// What acts on the request's rows. Requests with the same instance share adapter products.
    var plan: AdapterPlan { get }

    /// Identity of what `plan` computes, from its content. Requests with equal keys share keys and
    /// values of equal beginnings, so equal keys must mean equal bits.
    var key: String { get }

    /// The adapter that the request takes its turns with, whatever its weight and whatever else is
    /// mixed in.
    var lane: String { get }

    /// Where `plan` begins to act within a sequence; nil: at its first token.
    var activation: PlanActivation? { get }

    /// Gives the adapters back; called exactly once, whatever becomes of the request.
    func release()

    /// Counts tokens made under this lease.
    func addTokens(_ count: Int)
}

extension PlanLease {
    /// At the first token.
    public var activation: PlanActivation? { nil }

    /// One for each key.
    public var lane: String { key }
}

extension SelectionLease: PlanLease {}
