/// The bytes that each token stands for, in one block.
struct TokenBytes: Sendable {
    private var arena: [UInt8] = []
    private var offsets: [Int] = [0]

    /// The number of tokens.
    var count: Int { offsets.count - 1 }

    /// Appends the next id's bytes.
    mutating func append(_ bytes: some Collection<UInt8>) {
        arena.append(contentsOf: bytes)
        offsets.append(arena.count)
    }

    /// The bytes of a token; none for ids outside the table.
    subscript(token: Int) -> [UInt8] {
        guard token >= 0 && token < count else { return [] }
        return Array(arena[offsets[token]..<offsets[token + 1]])
    }
}
