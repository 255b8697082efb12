/// Decides from the traffic which adapter is worth merged matrices: one that takes over a set share
/// of the recent requests, alone and always at one weight. At most one at a time.
///
/// **Source**: the idea of switching between merged and attached adapters by traffic is dLoRA's
/// (Wu et al., OSDI 2024).
package struct HotMergePolicy: Sendable {
    /// When to merge, and when to stop.
    package struct Settings: Sendable, Equatable {
        /// The part of recent requests from which on a selection is merged.
        package var share: Double
        /// The part below which it is unmerged again; smaller, so that it doesn't go back and forth.
        package var releaseShare: Double
        /// Requests that count as recent.
        package var windowCount: Int
        /// Nothing is decided before that many requests.
        package var minimumCount: Int

        package init(
            share: Double = 0.6, releaseShare: Double? = nil, windowCount: Int = 256,
            minimumCount: Int = 16
        ) {
            self.share = share
            self.releaseShare = releaseShare ?? share * 2 / 3
            self.windowCount = windowCount
            self.minimumCount = minimumCount
        }
    }

    /// What to do after a request.
    package enum Decision: Sendable, Equatable {
        case nothing
        case merge(SelectionEntry)
        case unmerge(SelectionEntry)
    }

    private let settings: Settings
    /// The last requests' selections, a ring; nil for the base and for mixes.
    private var window: [SelectionEntry?] = []
    private var next = 0
    private var counts: [SelectionEntry: Int] = [:]
    private var merged: SelectionEntry?
    /// Whether a decision is being carried out.
    private var isBusy = false
    /// Selections that can't be merged; forgotten when they are asked for less.
    private var refused: Set<SelectionEntry> = []

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Counts one request; a decision other than `nothing` must be answered with `didCarryOut`.
    package mutating func record(_ selection: [SelectionEntry]) -> Decision {
        let single = selection.count == 1 && selection[0].weight != 0 ? selection[0] : nil
        count(single)
        guard !isBusy, window.count >= settings.minimumCount else { return .nothing }
        refused = refused.filter { share(of: $0) >= settings.releaseShare }
        let decision = decide(single)
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

    private func decide(_ latest: SelectionEntry?) -> Decision {
        if let merged {
            return share(of: merged) < settings.releaseShare ? .unmerge(merged) : .nothing
        }
        // Only the latest request's share has grown.
        guard let latest, !refused.contains(latest), share(of: latest) >= settings.share else {
            return .nothing
        }
        return .merge(latest)
    }

    private func share(of entry: SelectionEntry) -> Double {
        Double(counts[entry] ?? 0) / Double(window.count)
    }

    private mutating func count(_ entry: SelectionEntry?) {
        if window.count < settings.windowCount {
            window.append(entry)
        } else {
            if let old = window[next] {
                counts[old]! -= 1
                if counts[old] == 0 { counts[old] = nil }
            }
            window[next] = entry
            next = (next + 1) % settings.windowCount
        }
        if let entry { counts[entry, default: 0] += 1 }
    }
}
