internal import DequeModule

/// Stands for an adapter selection: requests with the same one share a lane.
package typealias SelectionID = ObjectIdentifier

/// Sequences in one lane per selection, in order of arrival; lanes take turns.
///
/// A burst on one selection delays its own lane only: whichever lane was served goes to the back.
struct FairQueue {
    private var lanes: [SelectionID: Deque<Int>] = [:]
    /// Lanes that are not empty; the next one to be served is the first.
    private var rotation: Deque<SelectionID> = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The sequence that `popNext` takes.
    var next: Int? { rotation.first.flatMap { lanes[$0]?.first } }

    /// Puts a sequence into its lane by its number, which tells the order of arrival; a new lane
    /// stands behind the others.
    mutating func insert(_ number: Int, lane: SelectionID) {
        var sequences = lanes[lane] ?? []
        if sequences.isEmpty { rotation.append(lane) }
        var place = sequences.endIndex
        while place > 0, sequences[place - 1] > number { place -= 1 }
        sequences.insert(number, at: place)
        lanes[lane] = sequences
        count += 1
    }

    /// Takes the first sequence of the lane whose turn it is.
    mutating func popNext() -> Int? {
        guard let lane = rotation.popFirst(), let number = lanes[lane]?.popFirst() else {
            return nil
        }
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
}
