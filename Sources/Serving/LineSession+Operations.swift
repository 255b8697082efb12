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
        case .tokenize(let text, let specialTokens):
            send(.tokens(try tokenize(text, specialTokens)), id: id)
        case .detokenize(let tokens): send(.text(try detokenize(tokens)), id: id)
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

    private func tokenize(
        _ text: String, _ specialTokens: SpecialTokens?
    ) throws(ServingError) -> [Int] {
        let tokenizer = try context.require(context.tokenizer, field: "text")
        do {
            return try tokenizer.encode(
                text, addingSpecialTokens: true, specialTokens: specialTokens)
        } catch {
            throw ServingError(error, field: "text")
        }
    }

    private func detokenize(_ tokens: [Int32]) throws(ServingError) -> String {
        guard let tokenizer = context.tokenizer else {
            throw ServingError(.badRequest, "this base has no tokenizer", field: "tokens")
        }
        do {
            return try tokenizer.decode(tokens.map(Int.init), rowCount: context.rowCount)
        } catch {
            throw ServingError(error, field: "tokens")
        }
    }
}
