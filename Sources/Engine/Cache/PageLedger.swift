/// Who holds how many pages, as the scheduler sees it.
package protocol PageLedger: AnyObject {
    /// Pages that no sequence holds, empty or cached.
    var availablePageCount: Int { get }

    /// Lets a sequence hold the cached pages that go on where it is, in place of its own.
    ///
    /// - Parameter tokenLimit: tokens from here on must be computed.
    /// - Returns: tokens from the first on whose keys and values are shared.
    func adoptCached(_ number: Int, tokenLimit: Int) -> Int

    /// Hands out pages until the sequence has this many; so many must be available.
    func grow(_ number: Int, to pageCount: Int)

    /// Takes all of a sequence's pages.
    func release(_ number: Int)
}
