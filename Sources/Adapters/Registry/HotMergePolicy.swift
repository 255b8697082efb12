/// Decides from the traffic which adapter is worth merged matrices: one that takes over a set share
/// of the recent requests, alone and always at one weight. At most one at a time.
///
/// Where it weighs costs, an adapter must save more while its requests are among themselves than it
/// loses while they share steps with others, which read the base's own matrices as well.
///
/// **Source**: the idea of switching between merged and attached adapters by traffic is dLoRA's
/// (Wu et al., OSDI 2024).
package struct HotMergePolicy: Sendable {
    /// When to merge, and when to stop.
    package struct Settings: Sendable, Equatable {
        /// The part of recent requests from which on a selection is merged.
        package var share: Double
        /// The part below which it is unmerged again; smaller, so that it doesn't go back and
        /// forth.
        package var releaseShare: Double
        /// Requests that count as recent.
        package var windowCount: Int
        /// Nothing is decided before that many requests.
        package var minimumCount: Int
        /// Whether an adapter is merged only while that pays.
        package var weighsCosts: Bool

        package init(
            share: Double = 0.6, releaseShare: Double? = nil, windowCount: Int = 256,
            minimumCount: Int = 16, weighsCosts: Bool = false
        ) {
            self.share = share
            self.releaseShare = releaseShare ?? share * 2 / 3
            self.windowCount = windowCount
            self.minimumCount = minimumCount
            self.weighsCosts = weighsCosts
        }
    }

    /// What to do after a request.
    package enum Decision: Sendable, Equatable {
        case nothing
        case merge(SelectionEntry)
        case unmerge(SelectionEntry)
    }

    private struct Request {
        /// Nil for the base and for mixes.
        let selection: SelectionEntry?
        let hasCompany: Bool
    }

    private struct Count {
        var requests = 0
        /// Those of them that had company.
        var inCompany = 0
    }

    private let settings: Settings
    /// The last requests, a ring.
    private var window: [Request] = []
    private var next = 0
    private var counts: [SelectionEntry: Count] = [:]
    /// Of selections that took over the share, until they are asked for less.
    private var balances: [SelectionEntry: MergeBalance] = [:]
    private var merged: SelectionEntry?
    /// Whether a decision is being carried out.
    private var isBusy = false
    /// Selections that can't be merged; forgotten when they are asked for less.
    private var refused: Set<SelectionEntry> = []

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Counts one request; a decision other than `nothing` must be answered with `didCarryOut`.
    ///
    /// - Parameters:
    ///   - hasCompany: whether requests with another selection are in flight.
    /// - balance: what merging costs and saves, asked once for a selection that took over the
    ///     share; nil where that is unknown, so that it isn't merged.
    package mutating func record(
        _ selection: [SelectionEntry], hasCompany: Bool = false,
        balance: (SelectionEntry) -> MergeBalance? = { _ in nil }
    ) -> Decision {
        let single = selection.count == 1 && selection[0].weight != 0 ? selection[0] : nil
        count(Request(selection: single, hasCompany: hasCompany))
        guard !isBusy, window.count >= settings.minimumCount else { return .nothing }
        refused = refused.filter { share(of: $0) >= settings.releaseShare }
        for entry in balances.keys where share(of: entry) < settings.releaseShare {
            balances[entry] = nil
        }
        let decision = decide(single, balance)
        isBusy = decision != .nothing
        return decision
    }

    /// The decision was carried out, or could not be.
    package mutating func didCarryOut(_ decision: Decision, succeeded: Bool) {
        isBusy = false
        switch decision {
        case .merge(let entry):
            if succeeded { merged = entry } else { refused.insert(entry) }
        case .unmerge: merged = nil
        case .nothing: break
        }
    }

    /// Forgets what it knows of an adapter whose name has got other content, or none, but for its
    /// requests: nothing is merged under it any more.
    package mutating func forget(name: String) {
        if merged?.name == name { merged = nil }
        refused = refused.filter { $0.name != name }
        balances = balances.filter { $0.key.name != name }
    }

    private mutating func decide(
        _ latest: SelectionEntry?, _ balance: (SelectionEntry) -> MergeBalance?
    ) -> Decision {
        if let merged {
            let stays = share(of: merged) >= settings.releaseShare && !loses(merged)
            return stays ? .nothing : .unmerge(merged)
        }
        // Only the latest request's share has grown.
        guard let latest, !refused.contains(latest), share(of: latest) >= settings.share,
            pays(latest, balance)
        else { return .nothing }
        return .merge(latest)
    }

    private mutating func pays(
        _ entry: SelectionEntry, _ balance: (SelectionEntry) -> MergeBalance?
    ) -> Bool {
        guard settings.weighsCosts else { return true }
        if balances[entry] == nil { balances[entry] = balance(entry) }
        return balances[entry]?.pays(companyShare: companyShare(of: entry)) ?? false
    }

    private func loses(_ entry: SelectionEntry) -> Bool {
        guard settings.weighsCosts, let balance = balances[entry] else { return false }
        return balance.loses(companyShare: companyShare(of: entry))
    }

    private func share(of entry: SelectionEntry) -> Double {
        Double(counts[entry]?.requests ?? 0) / Double(window.count)
    }

    private func companyShare(of entry: SelectionEntry) -> Double {
        guard let count = counts[entry] else { return 0 }
        return Double(count.inCompany) / Double(count.requests)
    }

    private mutating func count(_ request: Request) {
        if window.count < settings.windowCount {
            window.append(request)
        } else {
            add(window[next], -1)
            window[next] = request
            next = (next + 1) % settings.windowCount
        }
        add(request, 1)
    }

    private mutating func add(_ request: Request, _ number: Int) {
        guard let selection = request.selection else { return }
        counts[selection, default: Count()].requests += number
        if request.hasCompany { counts[selection]!.inCompany += number }
        if counts[selection]!.requests == 0 { counts[selection] = nil }
    }
}
