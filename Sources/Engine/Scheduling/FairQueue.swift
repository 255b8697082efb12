internal import DequeModule

/// Stands for an adapter selection: requests with the same one share a lane.
package typealias SelectionID = ObjectIdentifier

/// Sequences in one lane per selection, in order of arrival; lanes take turns.
///
/// A burst on one selection delays its own lane only: whichever lane was served goes to the back.
struct FairQueue {
    private var lanes: [SelectionID: Deque<Int>] = [:]
    /// Lanes that are not empty; the one that was served last is the last.
    private var rotation: Deque<SelectionID> = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The smallest number of all.
    var oldest: Int { lanes.values.reduce(.max) { min($0, $1.first ?? .max) } }

    /// Puts a sequence into its lane by its number, which tells the order of arrival; a new lane
    /// stands behind the others.
    mutating func insert(_ number: Int, lane: SelectionID) {
        if lanes[lane] == nil { rotation.append(lane) }
        lanes[lane, default: []].insertInOrder(number)
        count += 1
    }

    /// The sequence that `popNext` takes with the same counts.
    func next(_ runningCount: (SelectionID) -> Int) -> Int? {
        nextPlace(runningCount).flatMap { lanes[rotation[$0]]?.first }
    }

    /// Takes the first sequence of the lane that has the fewest running, of equal ones the lane
    /// whose turn it is.
    mutating func popNext(_ runningCount: (SelectionID) -> Int) -> Int? {
        guard let place = nextPlace(runningCount) else { return nil }
        let lane = rotation.remove(at: place)
        let number = lanes[lane]?.popFirst()
        count -= 1
        if lanes[lane]?.isEmpty == true { lanes[lane] = nil } else { rotation.append(lane) }
        return number
    }

    mutating func remove(_ number: Int, lane: SelectionID) {
        guard let place = lanes[lane]?.firstIndex(of: number) else { return }
        lanes[lane]?.remove(at: place)
        count -= 1
        if lanes[lane]?.isEmpty == true {
            lanes[lane] = nil
            rotation.removeAll { $0 == lane }
        }
    }

    private func nextPlace(_ runningCount: (SelectionID) -> Int) -> Int? {
        var best: (place: Int, count: Int)?
        for (place, lane) in rotation.enumerated() {
            let count = runningCount(lane)
            if count < best?.count ?? .max { best = (place, count) }
            if count == 0 { break }
        }
        return best?.place
    }
}

extension Deque<Int> {
    fileprivate mutating func insertInOrder(_ number: Int) {
        var place = endIndex
        while place > 0, self[place - 1] > number { place -= 1 }
        insert(number, at: place)
    }
}
