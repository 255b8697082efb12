import Testing

/// Asks again and again until `isDone`; fails after half a minute and two thousand answers: other
/// tests may keep this one from running for long.
func wait(
    sourceLocation: SourceLocation = #_sourceLocation, until isDone: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(30)
    var count = 0
    while try await !isDone() {
        count += 1
        guard count < 2000 || ContinuousClock.now < end else {
            Issue.record("it didn't come to pass within 30 s", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(1))
    }
}
