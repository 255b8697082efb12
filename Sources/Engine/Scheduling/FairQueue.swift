internal import DequeModule

/// Stands for an adapter selection: rows with the same one share products.
package typealias SelectionID = ObjectIdentifier

/// What a request takes its turns by: whose it is, and which adapter it names.
package struct FairnessLane: Hashable, Sendable {
    package let client: UInt64
    package let adapter: String

    package init(client: UInt64, adapter: String) {
        self.client = client
        self.adapter = adapter
    }
}

/// How many sequences of each client and of each lane run.
struct RunningCounts {
    private(set) var clients: [UInt64: Int] = [:]
    private(set) var lanes: [FairnessLane: Int] = [:]

    mutating func add(_ lane: FairnessLane) {
        clients[lane.client, default: 0] += 1
        lanes[lane, default: 0] += 1
    }

    mutating func remove(_ lane: FairnessLane) {
        Self.decrease(&clients, lane.client)
        Self.decrease(&lanes, lane)
    }

    private static func decrease<Key>(_ counts: inout [Key: Int], _ key: Key) {
        let left = (counts[key] ?? 1) - 1
        counts[key] = left > 0 ? left : nil
    }
}

/// Sequences in one lane per client and adapter, in order of arrival. Clients take turns, and with
/// each client its adapters.
///
/// A burst on one adapter delays its own lane only, and a client with many adapters gets no more
/// turns than one with a single one: whoever was served goes to the back.
struct FairQueue {
    /// A client's adapters.
    private struct Lanes {
        var queues: [String: Deque<Int>] = [:]
        var turns = Turns<String>()
    }

    private var clients: [UInt64: Lanes] = [:]
    private var turns = Turns<UInt64>()
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The smallest number of all.
    var oldest: Int {
        clients.values.lazy.flatMap(\.queues.values).reduce(.max) { min($0, $1.first ?? .max) }
    }

    /// Puts a sequence into its lane by its number, which tells the order of arrival; a new lane
    /// stands behind the others.
    mutating func insert(_ number: Int, lane: FairnessLane) {
        if clients[lane.client] == nil { turns.append(lane.client) }
        var lanes = clients.removeValue(forKey: lane.client) ?? Lanes()
        if lanes.queues[lane.adapter] == nil { lanes.turns.append(lane.adapter) }
        lanes.queues[lane.adapter, default: []].insertInOrder(number)
        clients[lane.client] = lanes
        count += 1
    }

    /// The sequence that `popNext` takes with the same counts.
    func next(_ running: RunningCounts) -> Int? {
        nextLane(running).flatMap { clients[$0.client]?.queues[$0.adapter]?.first }
    }

    /// Takes the first sequence of the client that has the fewest running, there of the adapter
    /// that has the fewest; of equal ones, of the one whose turn it is.
    mutating func popNext(_ running: RunningCounts) -> Int? {
        guard let lane = nextLane(running), var lanes = clients.removeValue(forKey: lane.client)
        else { return nil }
        let number = lanes.queues[lane.adapter]?.popFirst()
        lanes.turns.moveToBack(lane.adapter)
        turns.moveToBack(lane.client)
        count -= 1
        put(lanes, back: lane)
        return number
    }

    mutating func remove(_ number: Int, lane: FairnessLane) {
        guard let place = clients[lane.client]?.queues[lane.adapter]?.firstIndex(of: number),
            var lanes = clients.removeValue(forKey: lane.client)
        else { return }
        lanes.queues[lane.adapter]?.remove(at: place)
        count -= 1
        put(lanes, back: lane)
    }

    /// Leaves out what is empty.
    private mutating func put(_ changed: Lanes, back lane: FairnessLane) {
        var lanes = changed
        if lanes.queues[lane.adapter]?.isEmpty == true {
            lanes.queues[lane.adapter] = nil
            lanes.turns.remove(lane.adapter)
        }
        if lanes.queues.isEmpty { turns.remove(lane.client) } else { clients[lane.client] = lanes }
    }

    private func nextLane(_ running: RunningCounts) -> FairnessLane? {
        guard let client = turns.next({ running.clients[$0] ?? 0 }),
            let adapter = clients[client]?.turns.next({
                running.lanes[FairnessLane(client: client, adapter: $0)] ?? 0
            })
        else { return nil }
        return FairnessLane(client: client, adapter: adapter)
    }
}

/// Those that take turns; the one that was served last is the last.
private struct Turns<Key: Hashable> {
    private var order: Deque<Key> = []

    mutating func append(_ key: Key) { order.append(key) }

    mutating func remove(_ key: Key) { order.removeAll { $0 == key } }

    mutating func moveToBack(_ key: Key) {
        guard let place = order.firstIndex(of: key) else { return }
        order.append(order.remove(at: place))
    }

    /// The first of those with the smallest count.
    func next(_ count: (Key) -> Int) -> Key? {
        var best: (key: Key, count: Int)?
        for key in order {
            let count = count(key)
            if count < best?.count ?? .max { best = (key, count) }
            if count == 0 { break }
        }
        return best?.key
    }
}

extension Deque<Int> {
    fileprivate mutating func insertInOrder(_ number: Int) {
        var place = endIndex
        while place > 0, self[place - 1] > number { place -= 1 }
        insert(number, at: place)
    }
}
