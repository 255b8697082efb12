/// Finds pages of keys and values again by everything that made them: the selection, all tokens
/// before, and the page's own.
///
/// A page's name is (name of the page before it, a number that stands for the selection's key, its
/// tokens). Names are compared, not only hashed, so that a page is never taken for another. Numbers
/// only: memory and reference counts are the pool's.
///
/// Pages that nobody holds are idle, and leave in the order in which they became so. Whoever holds
/// a page holds those before it and gives the last page back first; so a page always leaves before
/// its predecessor, and no name outlives what it refers to.
struct PrefixCache {
    /// Tokens of a page.
    static let pageTokenCount = PageTokens.scalarCount
    typealias PageTokens = SIMD16<Int32>

    /// What a page holds.
    struct Name: Hashable {
        /// Nil for a first page.
        let predecessor: Int32?
        let root: Int32
        let tokens: PageTokens
    }

    private var roots = SelectionRoots()
    private var pages: [Name: Int32] = [:]
    /// The name of each page; nil for those that are not in the cache.
    private var names: [Name?]
    private var idle: PageList
    private(set) var evictionCount = 0

    /// - Parameter pageCount: pages are 0 ..< pageCount.
    init(pageCount: Int) {
        names = Array(repeating: nil, count: pageCount)
        idle = PageList(pageCount: pageCount)
    }

    /// Pages in the cache, held or idle.
    var count: Int { pages.count }
    /// Pages in the cache that nobody holds.
    var idleCount: Int { idle.count }
    /// Selections that are in use or have pages.
    var selectionCount: Int { roots.count }

    func contains(_ page: Int32) -> Bool { names[Int(page)] != nil }

    /// What stands for a selection in names; to be released.
    mutating func retainRoot(_ key: String) -> Int32 { roots.retain(key) }

    mutating func releaseRoot(_ root: Int32) { roots.release(root) }

    func page(named name: Name) -> Int32? { pages[name] }

    /// Takes a page in, which somebody holds; its name must be new.
    mutating func insert(_ page: Int32, named name: Name) {
        precondition(pages[name] == nil && names[Int(page)] == nil, "a page is in the cache twice")
        pages[name] = page
        names[Int(page)] = name
        roots.retain(name.root)
    }

    /// Notes that nobody holds a page of the cache any more.
    mutating func becomeIdle(_ page: Int32) { idle.append(page) }

    /// Notes that somebody holds an idle page.
    mutating func becomeHeld(_ page: Int32) { idle.remove(page) }

    /// Forgets the page that has been idle for longest.
    mutating func evict() -> Int32? {
        guard let page = idle.first, let name = names[Int(page)] else { return nil }
        idle.remove(page)
        pages[name] = nil
        names[Int(page)] = nil
        roots.release(name.root)
        evictionCount += 1
        return page
    }
}
