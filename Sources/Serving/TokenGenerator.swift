public import Engine

/// What serving needs of the engine.
public protocol TokenGenerator: Sendable {
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`.
    func checkCapacity() throws(EngineError)

    /// Starts a request; its lease is the generator's from here on, also when this throws.
    ///
    /// - Returns: ends the request early; does nothing once it has ended.
    func start(_ request: GenerationRequest) throws(EngineError) -> @Sendable () -> Void

    /// Refuses new requests and returns when the accepted ones have had their last event.
    func drain() async

    /// Refuses new requests and gives the accepted ones up.
    func abort()

    func statistics() -> EngineStatistics
}

extension GenerationEngine: TokenGenerator {
    public func start(
        _ request: GenerationRequest
    ) throws(EngineError) -> @Sendable () -> Void {
        let handle = try submit(request)
        return { self.cancel(handle) }
    }
}
