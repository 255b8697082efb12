internal import Adapters
internal import Engine
internal import Tokenization

/// The one way in for requests: counted, their adapters held, their text made tokens, given to the
/// generator. Whatever goes wrong after they were accepted is their last event.
struct RequestDesk {
    let service: Service

    static let noRoom = ServingError(
        .overloaded, "requests that wait take all memory that there is for them: try again later")

    private var context: ServerContext { service.context }

    /// Counts a request, before anything costly is done for it.
    ///
    /// - Parameters:
    ///   - client: tells clients apart.
    ///   - emit: sends an event that others follow.
    ///   - emitLast: sends the last event; called once.
    /// - Throws: `overloaded`, `shutting_down`, `context_too_long`.
    func accept(
        _ request: GenerateRequest, of client: UInt64,
        emit: @escaping @Sendable (ServerEvent) -> Void,
        emitLast: @escaping @Sendable (ServerEvent) -> Void
    ) throws(ServingError) -> AcceptedRequest {
        try service.promptRoom.checkAccepted(request)
        guard service.waitingBytes.tryTake(request.byteCount) else {
            throw Self.noRoom
        }
        let ticket: RequestTicket
        do { ticket = try context.generator.accept() } catch {
            service.waitingBytes.give(request.byteCount)
            throw ServingError(error)
        }
        let number = service.nextRequestNumber()
        return AcceptedRequest(
            request, number: number, client: client, ticket: ticket, emit: emit,
            emitLast: { [service] event in
                service.note(event)
                emitLast(event)
                service.endStart(number)
            })
    }

    /// Has the adapters brought, holding them from before this returns, and the request started
    /// when they are there; later lines don't wait for it.
    ///
    /// - Parameter lane: where its text becomes tokens.
    func begin(_ accepted: AcceptedRequest, lane: PreparationLane) {
        guard let request = accepted.wanted else {
            context.generator.withdraw(accepted.ticket)
            return service.waitingBytes.give(accepted.byteCount)
        }
        service.beginStart(accepted)
        if let timeout = request.timeout { accepted.expire(after: timeout) }
        let giveUp = context.adapters.select(request.adapter) { outcome in
            lane.perform {
                self.start(accepted, outcome)
                self.service.endStart(accepted.number)
                self.service.waitingBytes.give(accepted.byteCount)
            }
        }
        accepted.awaitAdapters(giveUp: giveUp)
    }

    private func start(
        _ accepted: AcceptedRequest, _ outcome: Result<AdapterSelection, AdapterError>
    ) {
        do throws(ServingError) {
            let selection: AdapterSelection
            do { selection = try outcome.get() } catch {
                context.generator.withdraw(accepted.ticket)
                throw ServingError(error, field: "adapter")
            }
            try start(accepted, selection)
        } catch {
            accepted.end(.failed(error))
        }
    }

    private func start(
        _ accepted: AcceptedRequest, _ selection: AdapterSelection
    ) throws(ServingError) {
        guard let request = accepted.wanted else { return giveBack(accepted, selection) }
        let tokens: [Int32]
        do throws(ServingError) { tokens = try promptTokens(request, selection) } catch {
            giveBack(accepted, selection)
            throw error
        }
        guard accepted.beginStart() else { return giveBack(accepted, selection) }
        let cancel: @Sendable () -> Void
        do {
            cancel = try context.generator.start(
                generation(request, of: accepted, tokens: tokens, selection: selection),
                ticket: accepted.ticket)
        } catch { throw ServingError(error, promptField: request.prompt.field) }
        accepted.didStart(cancel: cancel)
    }

    /// Nothing comes of it.
    private func giveBack(_ accepted: AcceptedRequest, _ selection: AdapterSelection) {
        selection.lease.release()
        context.generator.withdraw(accepted.ticket)
    }

    private func generation(
        _ request: GenerateRequest, of accepted: AcceptedRequest, tokens: [Int32],
        selection: AdapterSelection
    ) -> GenerationRequest {
        let own = selection.tokenizer
        let assembler = TextAssembler(
            tokenizer: own?.tokenizer ?? context.tokenizer,
            position: request.prompt == .text("") ? .beginning : .continuation,
            stops: request.stops)
        let responder = GenerationResponder(
            assembler: assembler, adapters: selection.adapters, streams: request.streams,
            emit: { accepted.send($0) }, emitLast: { accepted.end($0) })
        return GenerationRequest(
            tokens: tokens, lease: selection.lease, sampling: request.sampling,
            maximumNewTokenCount: request.maximumNewTokenCount,
            endTokens: request.ignoresEndTokens ? [] : own?.endTokens ?? context.endTokens,
            logprobCount: request.logprobCount, promptLogprobCount: request.promptLogprobCount,
            timeout: request.timeout, priority: request.priority, client: accepted.client,
            sink: responder)
    }

    private func promptTokens(
        _ request: GenerateRequest, _ selection: AdapterSelection
    ) throws(ServingError) -> [Int32] {
        let prompt = request.prompt
        if case .tokens(let tokens) = prompt { return tokens }
        let own = selection.tokenizer?.tokenizer
        let tokenizer = try context.require(own ?? context.tokenizer, field: prompt.field)
        if !request.adapter.isEmpty { try service.promptRoom.checkText(request, own: own) }
        do throws(TokenizationError) {
            return switch prompt {
            case .text(let text):
                try tokenizer.encode(
                    text, addingSpecialTokens: true, specialTokens: request.specialTokens
                ).map { Int32(clamping: $0) }
            case .messages(let messages):
                try tokenizer.encode(conversation: messages, specialTokens: request.specialTokens)
                    .map { Int32(clamping: $0) }
            case .tokens(let tokens): tokens
            }
        } catch {
            throw ServingError(error, field: prompt.field)
        }
    }
}
