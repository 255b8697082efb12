/// Names of adapters in memory that nobody holds, the least recently used first.
///
/// A name that comes back into use stays where it is, and is passed over later: its number is an
/// old one then.
struct IdleQueue: Sendable {
    struct Item: Sendable, Equatable {
        let name: String
        /// When it was let go, in uses of all adapters.
        let number: UInt64
    }

    private var items: [Item] = []
    /// Items before it are gone.
    private var first = 0

    mutating func append(_ item: Item) { items.append(item) }

    /// The first that is still what it was, taken out.
    mutating func next(where isCurrent: (Item) -> Bool) -> Item? {
        while first < items.count {
            let item = items[first]
            first += 1
            if isCurrent(item) {
                shorten()
                return item
            }
        }
        shorten()
        return nil
    }

    /// Leaves out what has come back into use, once that is most of it.
    mutating func compact(liveCount: Int, where isCurrent: (Item) -> Bool) {
        guard items.count - first > 2 * liveCount + 64 else { return }
        items = items[first...].filter(isCurrent)
        first = 0
    }

    private mutating func shorten() {
        guard first > 64, first > items.count / 2 else { return }
        items.removeFirst(first)
        first = 0
    }
}
