/// A text that equals another only where both are the same bytes.
///
/// Swift's strings are equal too where Unicode has two ways to write the same characters, é in one
/// scalar or in two: names of files, adapters, tensors, settings and requests are other names then.
public struct ExactText: Hashable, Comparable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (left: ExactText, right: ExactText) -> Bool {
        // Equal bytes are equal strings, and most others differ as strings already.
        left.text == right.text && left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// In order of the bytes, which is that of the scalars.
    public static func < (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
