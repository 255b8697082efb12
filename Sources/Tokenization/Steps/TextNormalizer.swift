import Foundation

/// What happens to a text before it is cut.
indirect enum TextNormalizer: Sendable, Equatable {
    /// Nothing.
    case none
    /// Puts something in front of a text that isn't empty.
    case prepend([UInt8])
    /// Writes every occurrence of one text as another.
    case replace([UInt8], with: [UInt8])
    /// Steps one after the other.
    case sequence([TextNormalizer])
    /// Unicode's normalisation form C (Unicode Standard Annex 15), with the tables of Unicode 9.
    ///
    /// `tokenizers` uses these tables, so vocabularies have never seen later characters reordered.
    case canonicalComposition

    /// The last major version of Unicode whose characters are normalised.
    private static let unicodeVersion = 9

    /// How many times as long a text may become, what is put in front left aside.
    var growth: Int {
        switch self {
        case .none, .prepend: 1
        // One character may become three.
        case .canonicalComposition: 3
        case .replace(let pattern, let content):
            Self.growth(from: pattern.count, to: content.count)
        case .sequence(let steps):
            steps.reduce(1) { min($0 * $1.growth, Int(Int32.max)) }
        }
    }

    static func growth(from count: Int, to newCount: Int) -> Int {
        min(max(1, (newCount + count - 1) / count), Int(Int32.max))
    }

    /// The normalised text.
    func normalize(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .none: text
        case .prepend(let prefix): text.isEmpty ? text : prefix + text
        case .replace(let pattern, let content): text.replacingEach(pattern, with: content)
        case .sequence(let steps): steps.reduce(text) { $1.normalize($0) }
        case .canonicalComposition:
            // ASCII is its own normal form.
            text.allSatisfy { $0 < 0x80 } ? text : Self.compose(text)
        }
    }

    /// Later characters stay where they are and keep their neighbours apart.
    private static func compose(_ text: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var run = String.UnicodeScalarView()
        func finishRun() {
            output += String(run).precomposedStringWithCanonicalMapping.utf8
            run.removeAll(keepingCapacity: true)
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if isKnown(scalar) {
                run.append(scalar)
            } else {
                finishRun()
                output += UTF8.encode(scalar).map(Array.init) ?? []
            }
        }
        finishRun()
        return output
    }

    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x300 else { return true }
        return scalar.properties.age.map { $0.major <= unicodeVersion } ?? false
    }
}

extension [UInt8] {
    /// With every occurrence of `pattern`, from left to right, written as `content`.
    func replacingEach(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
        guard let first = pattern.first, count >= pattern.count else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var index = 0
        while index < count {
            let isMatch =
                self[index] == first && count - index >= pattern.count
                && pattern.indices.allSatisfy { self[index + $0] == pattern[$0] }
            if isMatch { result += content } else { result.append(self[index]) }
            index += isMatch ? pattern.count : 1
        }
        return result
    }
}
