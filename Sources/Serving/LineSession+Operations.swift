internal import Adapters
internal import Engine
internal import Logging
internal import StrictJSON
internal import Tokenization

extension ClientRequest {
    /// Whether it is refused once the server is shutting down.
    var isNewWork: Bool {
        switch self {
        case .generate, .loadAdapter, .mergeAdapter: true
        default: false
        }
    }
}

extension LineSession {
    /// Answers every operation but `generate` and `cancel`.
    ///
    /// - Throws: what the operation's `error` event says.
    func answer(_ request: ClientRequest, id: RequestID?) throws(ServingError) {
        switch request {
        case .loadAdapter(let name, let path):
            send(.adapterLoaded(try loadAdapter(name, path)), id: id)
        case .unloadAdapter(let name): unloadAdapter(name, id: id)
        case .mergeAdapter(let name, let weight):
            let adapter = try catalog { catalog throws(AdapterError) in
                try catalog.merge(name: name, weight: weight)
            }
            send(.adapterMerged(adapter), id: id)
        case .unmergeAdapter(let name):
            let adapter = try catalog { catalog throws(AdapterError) in
                try catalog.unmerge(name: name)
            }
            send(.adapterUnmerged(adapter), id: id)
        case .listAdapters: send(.adapters(context.adapters.descriptions()), id: id)
        case .tokenize(let text, let specialTokens, let adapter):
            try convert(with: adapter, byteCount: text.utf8.count, id: id) {
                (selection) throws(ServingError) in
                .tokens(try self.tokenize(text, specialTokens, selection))
            }
        case .detokenize(let tokens, let adapter):
            let byteCount = tokens.count * MemoryLayout<Int32>.stride
            try convert(with: adapter, byteCount: byteCount, id: id) {
                (selection) throws(ServingError) in
                .text(try self.detokenize(tokens, selection))
            }
        case .stats: send(.stats(service.statistics), id: id)
        case .shutdown: service.requestShutdown()
        case .generate, .cancel: break
        }
    }

    private func loadAdapter(
        _ name: String, _ path: String
    ) throws(ServingError) -> AdapterDescription {
        let root = try rights.adapterPaths.root()
        let adapter: AdapterDescription
        do { adapter = try context.adapters.load(name: name, path: path, root: root) } catch {
            let isName = if case .invalidName = error { true } else { false }
            throw ServingError(error, field: isName ? "name" : "path")
        }
        context.logger.info(
            "adapter loaded", metadata: ["name": "\(name)", "hash": "\(adapter.hash)"])
        for warning in adapter.warnings {
            context.logger.warning("\(warning)", metadata: ["adapter": "\(name)"])
        }
        return adapter
    }

    /// Later lines find the name gone; the answer comes when the last request has let go.
    private func unloadAdapter(_ name: String, id: RequestID?) {
        beginAnswer()
        context.adapters.unload(name: name) { result in
            do throws(AdapterError) {
                try result.get()
                self.context.logger.info("adapter unloaded", metadata: ["name": "\(name)"])
                self.endAnswer(.adapterUnloaded(name: name), id: id)
            } catch {
                self.endAnswer(.failed(ServingError(error, field: "name")), id: id)
            }
        }
    }

    private func catalog<Result>(
        _ body: (any AdapterCatalog) throws(AdapterError) -> Result
    ) throws(ServingError) -> Result {
        do { return try body(context.adapters) } catch {
            throw ServingError(error, field: "name")
        }
    }

    /// Answers with what `body` makes: at once for the base, for adapters when they are there.
    private func convert(
        with adapter: [SelectionEntry], byteCount: Int, id: RequestID?,
        _ body: @escaping @Sendable (AdapterSelection?) throws(ServingError) -> ServerEvent
    ) throws(ServingError) {
        guard !adapter.isEmpty else { return send(try body(nil), id: id) }
        guard service.waitingBytes.tryTake(byteCount) else { throw RequestDesk.noRoom }
        beginAnswer()
        let number = service.nextRequestNumber()
        let giveUp = context.adapters.select(adapter) { outcome in
            self.lane.perform {
                let event: ServerEvent
                do throws(ServingError) {
                    event = try self.converted(outcome, body)
                } catch { event = .failed(error) }
                self.service.waitingBytes.give(byteCount)
                self.endConversion(number)
                self.endAnswer(event, id: id)
            }
        }
        beginConversion(number, giveUp: giveUp)
    }

    private func converted(
        _ outcome: Result<AdapterSelection, AdapterError>,
        _ body: (AdapterSelection?) throws(ServingError) -> ServerEvent
    ) throws(ServingError) -> ServerEvent {
        let selection: AdapterSelection
        do { selection = try outcome.get() } catch {
            throw ServingError(error, field: "adapter")
        }
        defer { selection.lease.release() }
        return try body(selection)
    }

    private func tokenize(
        _ text: String, _ specialTokens: SpecialTokens?, _ selection: AdapterSelection?
    ) throws(ServingError) -> [Int] {
        let tokenizer = try context.require(
            selection?.tokenizer?.tokenizer ?? context.tokenizer, field: "text")
        do {
            return try tokenizer.encode(
                text, addingSpecialTokens: true, specialTokens: specialTokens)
        } catch {
            throw ServingError(error, field: "text")
        }
    }

    private func detokenize(
        _ tokens: [Int32], _ selection: AdapterSelection?
    ) throws(ServingError) -> String {
        guard let tokenizer = selection?.tokenizer?.tokenizer ?? context.tokenizer else {
            throw ServingError(.badRequest, "this base has no tokenizer", field: "tokens")
        }
        do {
            return try tokenizer.decode(
                tokens.map(Int.init), rowCount: selection?.rowCount ?? context.rowCount)
        } catch {
            throw ServingError(error, field: "tokens")
        }
    }
}
