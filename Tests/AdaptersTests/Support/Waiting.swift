import Testing

/// Asks again and again until `isDone`; fails after half a minute.
func wait(
    sourceLocation: SourceLocation = #_sourceLocation, until isDone: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(30)
    // Other tests may keep this one from running for long: it is asked once more at the end.
    while true {
        let isLate = ContinuousClock.now >= end
        if try await isDone() { return }
        if isLate { break }
        try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record("it didn't come to pass within 30 s", sourceLocation: sourceLocation)
}
