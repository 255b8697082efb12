internal import Synchronization
public import Transformer

/// A request's hold on the adapters that answer it: their content stays, and stays the same, until
/// the lease is released.
///
/// Release happens exactly once: with `release()`, or when the last reference goes.
public final class SelectionLease: Sendable {
    /// One adapter of the selection, as the answer reports it.
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let weight: Float
        /// SHA-256 of the content that answers.
        public let hash: String
        /// True when merged matrices answer.
        public let merged: Bool
    }

    /// Equal selections share one instance.
    public let plan: AdapterPlan
    /// Sorted by name.
    public let entries: [Entry]
    /// Identity of what is computed, from content, not from names: `hash:weight,…`, with `:merged`
    /// behind merged ones; empty for the base. Equal keys give equal bits, so that it can begin a
    /// prefix cache's hash chain.
    public let key: String
    /// Where `plan` begins to act within a sequence; nil: at its first token.
    public let activation: PlanActivation?
    /// The adapters' own tokenizer; nil: the base's.
    public let tokenizer: AdapterTokenizer?
    private let lease: LeaseReturn
    private let registry: AdapterRegistry
    private let tokenCount = Atomic(0)
    private let isReleased = Atomic(false)

    init(
        _ grant: SelectionGrant, plan: AdapterPlan, activation: PlanActivation?,
        registry: AdapterRegistry
    ) {
        self.plan = plan
        self.activation = activation
        self.registry = registry
        entries = grant.entries
        key = grant.lease.key
        tokenizer = grant.tokenizer
        lease = grant.lease
    }

    /// The content of the adapter with the largest weight, of equal ones the first by name; empty
    /// for the base. Weights and what is mixed in don't make another, so that no client has more
    /// than adapters.
    public var lane: String {
        entries.reduce(nil as Entry?) { largest, entry in
            abs(entry.weight) > abs(largest?.weight ?? 0) ? entry : largest
        }?.hash ?? ""
    }

    /// Tokens that the model knows under them: the base's, unless one resized the vocabulary.
    public var vocabularyCount: Int { plan.vocabularyCount }

    /// Gives the adapters back; further calls do nothing.
    public func release() {
        guard !isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
        registry.release(lease, tokenCount: tokenCount.load(ordering: .relaxed))
    }

    /// Counts tokens made with this selection, for the registry's statistics, which get them with
    /// its release.
    public func addTokens(_ count: Int) {
        tokenCount.add(count, ordering: .relaxed)
    }

    deinit { release() }
}
