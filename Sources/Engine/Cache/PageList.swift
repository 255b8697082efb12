/// Page numbers in the order in which they came; any of them can leave in constant time.
struct PageList {
    /// Neighbours of each page; the last place is the list's own end.
    private var following: [Int32]
    private var preceding: [Int32]
    private(set) var count = 0
    private let end: Int32

    /// - Parameter pageCount: pages are 0 ..< pageCount.
    init(pageCount: Int) {
        end = Int32(pageCount)
        following = Array(repeating: end, count: pageCount + 1)
        preceding = following
    }

    /// The page that has been in the list for longest.
    var first: Int32? { count > 0 ? following[Int(end)] : nil }

    /// Puts a page at the end; it must not be in the list.
    mutating func append(_ page: Int32) {
        let last = preceding[Int(end)]
        following[Int(last)] = page
        preceding[Int(page)] = last
        following[Int(page)] = end
        preceding[Int(end)] = page
        count += 1
    }

    /// Takes a page out; it must be in the list.
    mutating func remove(_ page: Int32) {
        let (before, after) = (preceding[Int(page)], following[Int(page)])
        following[Int(before)] = after
        preceding[Int(after)] = before
        count -= 1
    }
}
