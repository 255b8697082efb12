import Checkpoints

/// The bytes that each token stands for.
struct TokenBytes: Sendable {
    private var strings = ByteStrings()

    /// The number of tokens.
    var count: Int { strings.count }

    /// Appends the next id's bytes.
    mutating func append(_ bytes: some Collection<UInt8>) { strings.append(bytes) }

    /// Gives back room that nothing was put in.
    mutating func shrink() { strings.shrink() }

    /// The bytes of a token; none for ids outside the table.
    subscript(token: Int) -> [UInt8] {
        strings.indices.contains(token) ? Array(strings[token]) : []
    }
}
