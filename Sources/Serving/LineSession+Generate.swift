internal import Engine

extension LineSession {
    /// Accepts a request; once it is accepted, whatever goes wrong is its last event.
    func generate(_ request: GenerateRequest, id: RequestID) throws(ServingError) {
        guard !hasRequest(id) else {
            throw ServingError(
                .duplicateID, "a request with this id is in flight: choose another one", field: "id"
            )
        }
        let desk = RequestDesk(service: service)
        let accepted = try desk.accept(
            request, of: number, emit: { self.send($0, id: id) },
            emitLast: { self.endRequest(id, $0) })
        beginRequest(id, accepted)
        desk.begin(accepted, lane: lane)
    }
}
