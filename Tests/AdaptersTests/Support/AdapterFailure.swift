/// What a failing call says.
enum AdapterFailure {
    static func description(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }
}
