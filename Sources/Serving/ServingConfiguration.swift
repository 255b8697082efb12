/// The bounds of a connection.
public struct ServingConfiguration: Sendable, Equatable {
    /// Bytes of a line, at most.
    public var maximumLineByteCount: Int
    /// Levels of arrays and objects inside each other in a line, at most.
    public var maximumDepth: Int
    /// Bytes that may wait for a client that reads slowly; beyond, the connection is closed.
    public var maximumOutgoingByteCount: Int

    public init(
        maximumLineByteCount: Int = 8 << 20, maximumDepth: Int = 64,
        maximumOutgoingByteCount: Int = 64 << 20
    ) {
        self.maximumLineByteCount = maximumLineByteCount
        self.maximumDepth = maximumDepth
        self.maximumOutgoingByteCount = maximumOutgoingByteCount
    }
}
