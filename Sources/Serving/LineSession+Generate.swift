internal import Adapters
internal import Engine
internal import Tokenization

extension LineSession {
    /// Starts a request; whatever goes wrong is its last event. Where its adapters must be read first,
    /// it starts when they are, and later lines don't wait for it. Its text becomes tokens then: by the
    /// adapters' own tokenizer where they have one.
    func generate(_ request: GenerateRequest, id: RequestID) throws(ServingError) {
        try beginRequest(id)
        do throws(ServingError) {
            // The queue's limit comes first, so that a refused request costs no tokenizing.
            do { try context.generator.checkCapacity() } catch { throw ServingError(error) }
            service.beginStart()
            context.adapters.select(request.adapter) { outcome in
                self.start(request, id: id, outcome)
                self.service.endStart()
            }
        } catch {
            endRequest(id, .failed(error))
        }
    }

    private func start(
        _ request: GenerateRequest, id: RequestID,
        _ outcome: Result<AdapterSelection, AdapterError>
    ) {
        do throws(ServingError) {
            let selection: AdapterSelection
            do { selection = try outcome.get() } catch {
                throw ServingError(error, field: "adapter")
            }
            let tokens: [Int32]
            do throws(ServingError) {
                tokens = try promptTokens(
                    request.prompt, selection.tokenizer?.tokenizer ?? context.tokenizer,
                    request.specialTokens)
            } catch {
                selection.lease.release()
                throw error
            }
            let cancel: @Sendable () -> Void
            do {
                cancel = try context.generator.start(
                    generationRequest(request, id: id, tokens: tokens, selection: selection))
            } catch { throw ServingError(error, promptField: request.prompt.field) }
            requestDidStart(id, cancel: cancel)
        } catch {
            endRequest(id, .failed(error))
        }
    }

    private func generationRequest(
        _ request: GenerateRequest, id: RequestID, tokens: [Int32], selection: AdapterSelection
    ) -> GenerationRequest {
        let own = selection.tokenizer
        let assembler = TextAssembler(
            tokenizer: own?.tokenizer ?? context.tokenizer,
            position: request.prompt == .text("") ? .beginning : .continuation,
            stops: request.stops)
        let responder = GenerationResponder(
            assembler: assembler, adapters: selection.adapters, streams: request.streams,
            emit: { self.send($0, id: id) }, emitLast: { self.endRequest(id, $0) })
        return GenerationRequest(
            tokens: tokens, lease: selection.lease, sampling: request.sampling,
            maximumNewTokenCount: request.maximumNewTokenCount,
            endTokens: request.ignoresEndTokens ? [] : own?.endTokens ?? context.endTokens,
            logprobCount: request.logprobCount, promptLogprobCount: request.promptLogprobCount,
            timeout: request.timeout, priority: request.priority, sink: responder)
    }

    private func promptTokens(
        _ prompt: GenerateRequest.Prompt, _ tokenizer: (any Tokenizer)?,
        _ specialTokens: SpecialTokens?
    ) throws(ServingError) -> [Int32] {
        if case .tokens(let tokens) = prompt { return tokens }
        let tokenizer = try require(tokenizer, field: prompt.field)
        do throws(TokenizationError) {
            return switch prompt {
            case .text(let text): try Self.tokens(of: text, tokenizer, specialTokens)
            case .messages(let messages):
                try tokenizer.encode(conversation: messages, specialTokens: specialTokens)
                    .map { Int32(clamping: $0) }
            case .tokens(let tokens): tokens
            }
        } catch {
            throw ServingError(error, field: prompt.field)
        }
    }

    /// Token ids of a text on its own, with the beginning token where the tokenizer asks for one.
    static func tokens(
        of text: String, _ tokenizer: any Tokenizer, _ specialTokens: SpecialTokens?
    ) throws(TokenizationError) -> [Int32] {
        try tokenizer.encode(text, addingSpecialTokens: true, specialTokens: specialTokens)
            .map { Int32(clamping: $0) }
    }

    /// - Throws: `bad_request` where the base has no tokenizer.
    func requireTokenizer(field: String) throws(ServingError) -> any Tokenizer {
        try require(context.tokenizer, field: field)
    }

    private func require(
        _ tokenizer: (any Tokenizer)?, field: String
    ) throws(ServingError) -> any Tokenizer {
        guard let tokenizer else {
            throw ServingError(
                .badRequest,
                "this base has no tokenizer, so it takes no '\(field)': send token ids as 'tokens'",
                field: field)
        }
        return tokenizer
    }
}
