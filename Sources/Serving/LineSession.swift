internal import Logging
internal import StrictJSON
internal import Synchronization

/// One connection of the line protocol: lines in, events out.
///
/// Lines are handled one after the other, so that a request sees every earlier line of its
/// connection done: an adapter that was loaded, a name that was unloaded. Generation goes on beside
/// that.
public final class LineSession: Sendable {
    private struct State {
        /// Requests whose last event is still to come.
        var inFlight: [RequestID: AcceptedRequest] = [:]
        /// What gives up the adapters of texts and tokens to convert that wait for them.
        var conversions: [Int: @Sendable () -> Void] = [:]
        /// Conversions that ended before they were noted.
        var endedConversions: Set<Int> = []
        /// Answers that are still to come, those of operations too.
        var outstandingCount = 0
        var isClosed = false
        var completions: [@Sendable () -> Void] = []
    }

    let service: Service
    /// Tells the connection from the server's others.
    let number: UInt64
    let rights: ClientRights
    let lane: PreparationLane
    private let writer: EventWriter
    private let state = Mutex(State())

    var context: ServerContext { service.context }

    init(
        service: Service, number: UInt64, rights: ClientRights, lane: PreparationLane,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.service = service
        self.number = number
        self.rights = rights
        self.lane = lane
        writer = EventWriter(
            usesQueue: service.context.configuration.preparationLaneCount > 0, write: write)
    }

    deinit { service.didEndSession() }

    /// Handles the next line; nothing once closed. Calls must follow each other; they may take as
    /// long as loading an adapter takes.
    public func receive(_ line: FramedLine) {
        guard !state.withLock({ $0.isClosed }) else { return }
        switch line {
        case .line(let bytes): handle(bytes)
        case .tooLong(let limit):
            send(
                .failed(
                    ServingError(.lineTooLong, "the line is longer than \(limit) bytes: shorten it")
                ), id: nil)
        case .noRoom:
            send(
                .failed(
                    ServingError(
                        .overloaded,
                        "lines that are being received take all memory that there is for them: try "
                            + "again later")), id: nil)
        }
    }

    /// Whether nothing is left to answer.
    public var isIdle: Bool { state.withLock { $0.outstandingCount == 0 } }

    /// No more lines come.
    ///
    /// - Parameter completion: called once, when everything accepted is answered.
    public func endInput(completion: @escaping @Sendable () -> Void) {
        let isIdle = state.withLock { state in
            guard state.outstandingCount > 0 else { return true }
            state.completions.append(completion)
            return false
        }
        if isIdle { writer.then(completion) }
    }

    /// The client is gone: cancels its requests and writes nothing any more.
    public func close() {
        let (requests, conversions) = state.withLock { state in
            state.isClosed = true
            return (Array(state.inFlight.values), Array(state.conversions.values))
        }
        writer.close()
        for request in requests { request.cancel() }
        for giveUp in conversions { giveUp() }
    }

    private func handle(_ bytes: [UInt8]) {
        let object: JSONObject
        do throws(ServingError) {
            object = try parse(bytes)
        } catch {
            return send(.failed(error), id: nil)
        }
        let id = RequestID(object["id"])
        do throws(ServingError) {
            try perform(object, id: id)
        } catch {
            send(.failed(error), id: id)
        }
    }

    private func parse(_ bytes: [UInt8]) throws(ServingError) -> JSONObject {
        let configuration = context.configuration
        let limits = JSONLimits(
            maximumDepth: configuration.maximumDepth,
            maximumByteCount: configuration.maximumLineByteCount)
        let value: JSONValue
        do { value = try JSONValue(parsing: bytes, limits: limits) } catch {
            throw ServingError(error)
        }
        guard let object = value.objectValue else {
            throw ServingError(
                .badRequest, "the line is \(value.typeName): a line must be a JSON object")
        }
        return object
    }

    private func perform(_ object: JSONObject, id: RequestID?) throws(ServingError) {
        if id == nil, let value = object["id"], !value.isNull {
            throw ServingError(
                .badRequest,
                "'id' is \(value.typeName), expected an integer or a string of at most "
                    + "\(RequestID.maximumByteCount) bytes", field: "id")
        }
        let request = try ClientRequest(object)
        try rights.check(request)
        if service.isShuttingDown, request.isNewWork {
            throw ServingError(
                .shuttingDown, "the server is shutting down: it takes no more requests")
        }
        switch request {
        case .generate(let request): try generate(request, id: try required(id, "generate"))
        case .cancel: try cancel(try required(id, "cancel"))
        default: try answer(request, id: id)
        }
    }

    private func required(_ id: RequestID?, _ operation: String) throws(ServingError) -> RequestID {
        guard let id else {
            throw ServingError(
                .badRequest, "'id' is missing: \(operation) needs an integer or a string",
                field: "id")
        }
        return id
    }

    private func cancel(_ id: RequestID) throws(ServingError) {
        guard let request = state.withLock({ $0.inFlight[id] }) else {
            throw ServingError(
                .badRequest, "no request with this id is in flight: there is nothing to cancel",
                field: "id")
        }
        request.cancel()
    }
}

// MARK: Answers

extension LineSession {
    /// Writes an event that isn't the last of a request.
    func send(_ event: ServerEvent, id: RequestID?) {
        if case .failed(let error) = event, error.code == .internal {
            context.logger.error("a request failed", metadata: ["reason": "\(error)"])
        }
        writer.send(event, id: id)
    }

    /// An answer will come later.
    func beginAnswer() {
        state.withLock { $0.outstandingCount += 1 }
    }

    /// Writes what ends an answer that was begun.
    func endAnswer(_ event: ServerEvent, id: RequestID?) {
        send(event, id: id)
        writer.then { self.didEndAnswer() }
    }

    private func didEndAnswer() {
        let completions = state.withLock { state -> [@Sendable () -> Void] in
            state.outstandingCount -= 1
            guard state.outstandingCount == 0 else { return [] }
            defer { state.completions = [] }
            return state.completions
        }
        completions.forEach { $0() }
    }

    /// A conversion waits for adapters from here to ``endConversion(_:)``, which may come first.
    func beginConversion(_ number: Int, giveUp: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if state.endedConversions.remove(number) == nil { state.conversions[number] = giveUp }
            return state.isClosed
        }
        if isClosed { giveUp() }
    }

    func endConversion(_ number: Int) {
        state.withLock { state in
            if state.conversions.removeValue(forKey: number) == nil {
                state.endedConversions.insert(number)
            }
        }
    }

    /// Whether a request with this id is in flight.
    func hasRequest(_ id: RequestID) -> Bool {
        state.withLock { $0.inFlight[id] != nil }
    }

    /// A request is in flight from here to ``endRequest(_:_:)``.
    func beginRequest(_ id: RequestID, _ request: AcceptedRequest) {
        let isClosed = state.withLock { state in
            state.inFlight[id] = request
            state.outstandingCount += 1
            return state.isClosed
        }
        if isClosed { request.cancel() }
    }

    /// Writes a request's last event; its id is free again before the client can read that.
    func endRequest(_ id: RequestID, _ event: ServerEvent) {
        state.withLock { $0.inFlight[id] = nil }
        endAnswer(event, id: id)
    }
}
