public import Engine

/// What serving needs of the engine.
public protocol TokenGenerator: Sendable {
    /// Tokens of a sequence at most, prompt and answer together.
    var contextTokenCount: Int { get }

    /// Counts a request before anything costly is done for it. The ticket goes to `start` or to
    /// `withdraw`, once.
    ///
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`.
    func accept() throws(EngineError) -> RequestTicket

    /// An accepted request isn't started after all.
    func withdraw(_ ticket: RequestTicket)

    /// Starts an accepted request; its lease and its ticket are the generator's from here on, also
    /// when this throws.
    ///
    /// - Returns: ends the request early; does nothing once it has ended.
    func start(
        _ request: GenerationRequest, ticket: RequestTicket
    ) throws(EngineError) -> @Sendable () -> Void

    /// Refuses new requests and returns when the started ones have had their last event.
    func drain() async

    /// Refuses new requests and gives the started ones up.
    func abort()

    func statistics() -> EngineStatistics
}

extension GenerationEngine: TokenGenerator {
    public func start(
        _ request: GenerationRequest, ticket: RequestTicket
    ) throws(EngineError) -> @Sendable () -> Void {
        let handle = try submit(request, ticket: ticket)
        return { self.cancel(handle) }
    }
}
