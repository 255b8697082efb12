/// A version as Python's packages are numbered, as far as the order of releases goes.
///
/// **Source**: PEP 440.
struct PythonVersion {
    private let epoch: Int
    private let release: [Int]
    /// True for what came before the release of its number: alpha, beta, candidate, development.
    private let isBefore: Bool

    /// - Returns: nil for what `packaging` doesn't take for a version.
    init?(_ text: String) {
        // Its whole grammar in one expression; letters count alike in either case.
        let expression =
            /v?(?:(\d{1,9})!)?(\d{1,9}(?:\.\d{1,9})*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?([-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?/
        let trimmed = text.lowercased().split { $0.isWhitespace }
        guard trimmed.count == 1, let match = trimmed[0].wholeMatch(of: expression) else {
            return nil
        }
        epoch = match.output.1.flatMap { Int($0) } ?? 0
        release = match.output.2.split(separator: ".").compactMap { Int($0) }
        let isDevelopment = match.output.6 != nil
        // A development release of what came after a release came after it as well.
        isBefore =
            match.output.3 != nil || (isDevelopment && match.output.5 == nil)
    }

    /// Whether it came before the release of these numbers; those that are left out are 0.
    func precedes(_ other: [Int]) -> Bool {
        guard epoch == 0 else { return false }
        for index in 0..<max(release.count, other.count) {
            let own = index < release.count ? release[index] : 0
            let its = index < other.count ? other[index] : 0
            if own != its { return own < its }
        }
        return isBefore
    }
}
