/// The members of a JSON object, in the order in which they were written.
///
/// Keys are compared by their bytes.
/// Two objects are equal when they hold the same members in any order.
public struct JSONObject: Sendable {
    /// One member of an object.
    public typealias Element = (key: String, value: JSONValue)

    private var members: [Element]
    /// Place of each key in `members`; empty while there are few, which are then searched one by
    /// one.
    private var places: [ExactText: Int]

    /// From this many members on, keys are looked up by hash.
    private static let indexedCount = 12

    /// An object without members.
    public init() {
        members = []
        places = [:]
    }

    /// An object of members whose keys are known to differ.
    init(distinct members: [Element]) {
        self.members = members
        places = [:]
        if members.count >= Self.indexedCount { indexMembers() }
    }

    /// How many members there are.
    public var count: Int { members.count }

    /// Whether there are none.
    public var isEmpty: Bool { members.isEmpty }

    /// The keys, in order.
    public var keys: [String] { members.map(\.key) }

    /// The value of a key; assigning to a new key appends a member, assigning nil removes it.
    ///
    /// - Complexity: O(1), except that removal is O(count).
    public subscript(key: String) -> JSONValue? {
        get { place(of: key).map { members[$0].value } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): remove(at: place)
            case (nil, let value?): append(key, value)
            case (nil, nil): break
            }
        }
    }

    private func place(of key: String) -> Int? {
        let key = ExactText(key)
        return places.isEmpty ? members.firstIndex { ExactText($0.key) == key } : places[key]
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        members.append((key, value))
        if !places.isEmpty {
            places[ExactText(key)] = members.count - 1
        } else if members.count >= Self.indexedCount {
            indexMembers()
        }
    }

    private mutating func remove(at place: Int) {
        members.remove(at: place)
        if !places.isEmpty { indexMembers() }
    }

    private mutating func indexMembers() {
        places.removeAll(keepingCapacity: true)
        places.reserveCapacity(members.count)
        for (place, member) in members.enumerated() { places[ExactText(member.key)] = place }
    }
}

extension JSONObject: Sequence {
    public func makeIterator() -> IndexingIterator<[Element]> { members.makeIterator() }

    public var underestimatedCount: Int { members.count }
}

extension JSONObject: Equatable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// The last of equal keys wins, in the place of the first.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}
