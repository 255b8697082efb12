internal import Foundation
public import Kernels
internal import Synchronization
public import Transformer

/// Answers generation requests on one frozen base, many at a time, each with its own adapters.
///
/// One thread of its own runs the forward pass and calls the sinks; everything else only leaves
/// messages for it. An answer depends on its own request alone: neither what shares its steps nor
/// chunks, preemption or thread counts change a bit of it.
public final class GenerationEngine: Sendable {
    public let configuration: EngineConfiguration
    private let inbox: Inbox
    private let bounds: RequestBounds
    private let published: PublishedStatistics
    private let now: @Sendable () -> ContinuousClock.Instant

    /// Reserves the cache and starts the engine's thread.
    ///
    /// - Parameter now: the clock of timeouts and durations.
    public convenience init(
        base: BaseModel, pool: WorkerPool, configuration: EngineConfiguration = .init(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        let bounds = RequestBounds(base: base, configuration: configuration)
        self.init(configuration: configuration, bounds: bounds, now: now) {
            let pages = KeyValuePagePool(
                pageCount: bounds.pageCount, layerCount: bounds.layerCount,
                shape: base.attentionShape, populatesAhead: true)
            let forward = ForwardPass(
                base: base, pages: pages, pool: pool,
                maximumRowCount: configuration.maximumRowCount,
                maximumLogitsRowCount: configuration.maximumLogitsRowCount)
            return (forward, pages)
        }
    }

    /// - Parameters:
    ///   - now: the clock of timeouts and durations.
    ///   - makeRunner: called once, on the engine's thread.
    package init(
        configuration: EngineConfiguration, bounds: RequestBounds,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
        makeRunner: @escaping @Sendable () -> (runner: any StepRunner, pages: KeyValuePagePool)
    ) {
        self.configuration = configuration
        self.bounds = bounds
        let inbox = Inbox(
            requestLimit: configuration.maximumSequenceCount + configuration.queueLimit)
        let published = PublishedStatistics(totalPageCount: bounds.pageCount)
        self.inbox = inbox
        self.published = published
        self.now = now
        let thread = Thread {
            let (runner, pages) = makeRunner()
            EngineLoop(
                configuration: configuration, bounds: bounds, runner: runner, pages: pages,
                inbox: inbox, published: published, now: now
            ).run()
        }
        thread.name = "graft-engine"
        thread.stackSize = 16 << 20
        thread.start()
    }

    deinit { inbox.abort() }

    /// Accepts a request, or refuses it before any work is done.
    ///
    /// The lease is the engine's from here on; when this throws, it has been released.
    ///
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`, `.contextTooLong`, `.emptyPrompt`,
    ///   `.tooManyLayers`,
    ///   `.unknownToken`, `.invalidParameter`.
    @discardableResult
    public func submit(_ request: GenerationRequest) throws(EngineError) -> RequestHandle {
        let ticket: RequestTicket
        do throws(EngineError) {
            try bounds.check(request)
            ticket = try accept()
        } catch {
            request.lease.release()
            throw error
        }
        return try submit(request, ticket: ticket)
    }

    /// Counts a request among those in flight, before its adapters are there and its text is
    /// tokens.
    ///
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`.
    public func accept() throws(EngineError) -> RequestTicket {
        try inbox.accept()
        return RequestTicket(accepted: now())
    }

    /// Takes an accepted request; its times count from its ticket's. Lease and ticket are the
    /// engine's from here on; when this throws, the lease has been released and the request isn't
    /// counted any more.
    ///
    /// - Throws: as ``submit(_:)``, except `EngineError.overloaded`.
    @discardableResult
    public func submit(
        _ request: GenerationRequest, ticket: RequestTicket
    ) throws(EngineError) -> RequestHandle {
        do throws(EngineError) { try bounds.check(request) } catch {
            withdraw(ticket)
            request.lease.release()
            throw error
        }
        do throws(EngineError) { return try inbox.submit(request, at: ticket.accepted) } catch {
            request.lease.release()
            throw error
        }
    }

    /// An accepted request is not submitted after all.
    public func withdraw(_ ticket: RequestTicket) {
        inbox.didFinish()
    }

    /// Tokens that a sequence can have at most, prompt and answer together.
    public var contextTokenCount: Int { bounds.contextTokenCount }

    /// Says whether a request would be accepted now.
    ///
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`.
    public func checkCapacity() throws(EngineError) {
        try inbox.checkCapacity()
    }

    /// Ends a request with `FinishReason.cancelled` before its next step; does nothing once it has
    /// ended.
    public func cancel(_ handle: RequestHandle) {
        inbox.cancel(handle)
    }

    /// Refuses new requests, finishes the accepted ones and ends the thread. Returns when every
    /// event has been delivered; also after `abort()`.
    public func drain() async {
        await inbox.drain()
    }

    /// Refuses new requests, gives the accepted ones up with `EngineError.shuttingDown` and ends
    /// the thread after its current step. `drain()` waits for that.
    public func abort() {
        inbox.abort()
    }

    public func statistics() -> EngineStatistics {
        var statistics = published.current
        statistics.waitingCount = max(0, inbox.inFlightCount - statistics.runningCount)
        return statistics
    }
}
