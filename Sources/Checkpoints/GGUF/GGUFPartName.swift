/// The name of one file of a model that is split over several: `NAME-00001-of-00003.gguf`.
///
/// **Source**: `gguf-split` of llama.cpp. Names count from 1, the key `split.no` from 0.
struct GGUFPartName: Equatable {
    let prefix: String
    /// Which part, from 0 on.
    let number: Int
    let count: Int

    /// Nil for other names.
    init?(_ name: String) {
        guard let match = name.wholeMatch(of: /(.*)-(\d{5})-of-(\d{5})\.gguf/),
            let number = Int(match.2), let count = Int(match.3), (1...max(1, count)) ~= number
        else { return nil }
        prefix = String(match.1)
        self.number = number - 1
        self.count = count
    }

    /// The name of another part.
    func name(_ number: Int) -> String { Self.name(prefix, number, of: count) }

    static func name(_ prefix: String, _ number: Int, of count: Int) -> String {
        func digits(_ value: Int) -> String {
            String(repeating: "0", count: max(0, 5 - String(value).count)) + String(value)
        }
        return "\(prefix)-\(digits(number + 1))-of-\(digits(count)).gguf"
    }
}
