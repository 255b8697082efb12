/// Many short strings of bytes, such as the tokens of a vocabulary, in one block of memory: an
/// array each would take several times their own bytes.
public struct ByteStrings: Sendable, Equatable, RandomAccessCollection,
    ExpressibleByArrayLiteral
{
    @usableFromInline var bytes: [UInt8] = []
    /// Where each string begins, and where the last one ends.
    @usableFromInline var offsets: [UInt32] = [0]

    /// No strings.
    public init() {}

    public init(_ strings: some Sequence<[UInt8]>) {
        for string in strings { append(string) }
        shrink()
    }

    public init(arrayLiteral strings: [UInt8]...) { self.init(strings) }

    /// Room for this many strings.
    public mutating func reserveCapacity(_ count: Int) { offsets.reserveCapacity(count + 1) }

    /// Adds a string behind the others; all together have at most 4 GiB.
    @inlinable
    public mutating func append(_ string: some Collection<UInt8>) {
        bytes.append(contentsOf: string)
        offsets.append(UInt32(bytes.count))
    }

    /// Gives back room that nothing was put in.
    public mutating func shrink() {
        bytes = bytes.withUnsafeBufferPointer { Array($0) }
        offsets = offsets.withUnsafeBufferPointer { Array($0) }
    }

    public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { offsets.count - 1 }
    @inlinable
    public subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[Int(offsets[index])..<Int(offsets[index + 1])]
    }

    /// Calls `body` with a string's bytes, without a reference to their owner.
    @inlinable
    public func withBytes<Result>(
        at index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        bytes.withUnsafeBufferPointer {
            body(UnsafeBufferPointer(rebasing: $0[Int(offsets[index])..<Int(offsets[index + 1])]))
        }
    }
}
