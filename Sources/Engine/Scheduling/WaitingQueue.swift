/// Sequences that wait for a place or for their turn: higher priorities first, and clients and
/// adapters of one priority in turn.
///
/// Every `ageingInterval`-th choice passes the highest priority over, in favour of the priority
/// whose oldest sequence has waited for longest, so that no priority waits for ever.
struct WaitingQueue {
    static let ageingInterval = 8

    private struct Level {
        let priority: Int
        var queue = FairQueue()
    }

    /// Highest first; none is empty.
    private var levels: [Level] = []
    private var choiceCount = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The highest priority that waits.
    var highestPriority: Int? { levels.first?.priority }

    mutating func insert(_ number: Int, lane: FairnessLane, priority: Int) {
        let place = levels.firstIndex { $0.priority <= priority } ?? levels.endIndex
        if place == levels.endIndex || levels[place].priority != priority {
            levels.insert(Level(priority: priority), at: place)
        }
        levels[place].queue.insert(number, lane: lane)
        count += 1
    }

    mutating func remove(_ number: Int, lane: FairnessLane, priority: Int) {
        guard let place = levels.firstIndex(where: { $0.priority == priority }) else { return }
        let before = levels[place].queue.count
        levels[place].queue.remove(number, lane: lane)
        count -= before - levels[place].queue.count
        if levels[place].queue.isEmpty { levels.remove(at: place) }
    }

    /// The sequence that `popNext` takes.
    ///
    /// - Parameter running: the client, and there the adapter, with the fewest is next.
    func next(_ running: RunningCounts) -> Int? {
        levels.isEmpty ? nil : levels[nextLevel].queue.next(running)
    }

    mutating func popNext(_ running: RunningCounts) -> Int? {
        guard !levels.isEmpty else { return nil }
        let place = nextLevel
        let number = levels[place].queue.popNext(running)
        if levels[place].queue.isEmpty { levels.remove(at: place) }
        choiceCount += 1
        count -= 1
        return number
    }

    private var nextLevel: Int {
        guard levels.count > 1, choiceCount % Self.ageingInterval == Self.ageingInterval - 1 else {
            return 0
        }
        var place = 1
        for other in levels.indices.dropFirst(2)
        where levels[other].queue.oldest < levels[place].queue.oldest { place = other }
        return place
    }
}
