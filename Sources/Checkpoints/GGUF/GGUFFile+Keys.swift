// What adapters need of a GGUF file beside its tensors.
extension GGUFFile {
    /// The number that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func number(_ key: String) throws(CheckpointError) -> Double? {
        try values.number(key)
    }

    /// The text that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func text(_ key: String) throws(CheckpointError) -> String? {
        try values.text(key)
    }

    /// The whole number from 0 on that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func count(_ key: String) throws(CheckpointError) -> Int? {
        try values.count(key)
    }

    /// All keys, sorted.
    package var keys: [String] { values.keys }

    /// A value as messages show it; nil where there is none.
    package func shownValue(_ key: String) -> String? { values.shown(key) }

    /// Whole numbers from 0 on that a key holds in an array of 32-bit integers; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func counts(_ key: String) throws(CheckpointError) -> [Int]? {
        try values.unsignedIntegers(key)?.map(Int.init)
    }
}
