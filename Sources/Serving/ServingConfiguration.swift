/// The bounds of connections and of what they have in flight.
public struct ServingConfiguration: Sendable, Equatable {
    /// Bytes of a line, at most.
    public var maximumLineByteCount: Int
    /// Levels of arrays and objects inside each other in a line, at most.
    public var maximumDepth: Int
    /// Bytes that may wait for a client that reads slowly; beyond, the connection is closed.
    public var maximumOutgoingByteCount: Int
    /// Bytes of all connections together: of lines that are being received, of requests that wait
    /// to start, and of events that wait for slow readers, each.
    public var sharedByteCount: Int
    /// Bytes of one connection, of lines and of events each, for which there is always room.
    public var ownByteCount: Int
    /// Threads on which texts become tokens; 0: all is done on the thread that has it, events'
    /// lines too.
    public var preparationLaneCount: Int

    public init(
        maximumLineByteCount: Int = 8 << 20, maximumDepth: Int = 64,
        maximumOutgoingByteCount: Int = 64 << 20, sharedByteCount: Int = 256 << 20,
        ownByteCount: Int = 64 << 10, preparationLaneCount: Int = 2
    ) {
        self.maximumLineByteCount = maximumLineByteCount
        self.maximumDepth = maximumDepth
        self.maximumOutgoingByteCount = maximumOutgoingByteCount
        self.sharedByteCount = sharedByteCount
        self.ownByteCount = ownByteCount
        self.preparationLaneCount = max(0, preparationLaneCount)
    }
}
