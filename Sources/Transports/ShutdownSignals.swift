internal import Dispatch
internal import Glibc
internal import Synchronization

/// Turns SIGTERM and SIGINT into a shutdown: the first drains, the second gives requests up, the
/// third ends the process at once.
public final class ShutdownSignals: Sendable {
    private let sources: Mutex<[any DispatchSourceSignal]>

    /// Watches as long as this object lives; returns when no signal can be missed any more. One
    /// that comes earlier ends the process, as it would without this object.
    public init(service: any LineService) {
        let counter = Counter(service: service)
        sources = Mutex([Self.source(SIGTERM, counter), Self.source(SIGINT, counter)])
    }

    deinit { sources.withLock { $0.forEach { $0.cancel() } } }

    private static func source(
        _ number: Int32, _ counter: Counter
    ) -> sending any DispatchSourceSignal {
        // Dispatch puts its own handler in place of the default action when it registers the
        // source; ignoring the signal until then would lose it.
        let isRegistered = DispatchSemaphore(value: 0)
        let source = DispatchSource.makeSignalSource(
            signal: number, queue: DispatchQueue(label: "graft-signals"))
        source.setEventHandler { counter.receive() }
        source.setRegistrationHandler { isRegistered.signal() }
        source.resume()
        isRegistered.wait()
        return source
    }
}

/// Decides by how many signals there were.
private final class Counter: Sendable {
    private let service: any LineService
    private let count = Atomic(0)

    init(service: any LineService) {
        self.service = service
    }

    func receive() {
        switch count.add(1, ordering: .relaxed).newValue {
        case 1: service.requestShutdown()
        case 2: service.abort()
        default: _exit(1)
        }
    }
}
