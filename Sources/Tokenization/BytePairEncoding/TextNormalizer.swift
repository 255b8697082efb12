import Foundation

/// What happens to a text before it is cut.
enum TextNormalizer: Sendable, Equatable {
    /// Nothing.
    case none
    /// Unicode's normalisation form C (Unicode Standard Annex 15).
    case canonicalComposition

    /// The normalised text.
    func normalize(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .none: text
        case .canonicalComposition:
            // ASCII is its own normal form.
            text.allSatisfy { $0 < 0x80 }
                ? text
                : Array(
                    String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8
                )
        }
    }
}
