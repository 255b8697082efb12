public import StrictJSON

/// A key that a kind of file may hold, and what becomes of it.
public struct KnownKey: Sendable, Equatable {
    /// What becomes of a key.
    public enum Fate: Sendable, Equatable {
        /// Read: what it says is done.
        case read
        /// No answer depends on it.
        case withoutEffect
        /// Refused by name where it is set to anything but null or one of these values.
        case refused(unless: [JSONValue])
    }

    /// The key; one `*` stands for any text in its place.
    public let name: String
    public let fate: Fate
    /// What it is read for, why it has no effect, or why it is refused.
    public let note: String

    public static func read(_ name: String, _ note: String) -> KnownKey {
        KnownKey(name: name, fate: .read, note: note)
    }

    public static func withoutEffect(_ name: String, _ note: String) -> KnownKey {
        KnownKey(name: name, fate: .withoutEffect, note: note)
    }

    public static func refused(
        _ name: String, unless harmless: [JSONValue] = [], _ note: String
    ) -> KnownKey {
        KnownKey(name: name, fate: .refused(unless: harmless), note: note)
    }

    /// Whether `key` is this one.
    func matches(_ key: String) -> Bool {
        guard let star = name.firstIndex(of: "*") else { return key == name }
        let (start, end) = (name[..<star], name[name.index(after: star)...])
        return key.utf8.count >= start.utf8.count + end.utf8.count && key.hasPrefix(start)
            && key.hasSuffix(end)
    }
}

/// What becomes of each key of one kind of file. The documentation lists it as it stands here.
public struct KeyTable: Sendable {
    /// The file, as the documentation names it.
    public let file: String
    /// The first that matches a key counts.
    public let keys: [KnownKey]
    private let plain: [String: KnownKey]
    private let patterns: [KnownKey]

    public init(file: String, keys: [KnownKey]) {
        self.file = file
        self.keys = keys
        plain = Dictionary(keys.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        patterns = keys.filter { $0.name.contains("*") }
    }

    /// The entry of a key; nil: nobody here has heard of it.
    public func entry(of key: String) -> KnownKey? {
        plain[key] ?? patterns.first { $0.matches(key) }
    }

    /// The first key that is refused with this value, and why.
    public func firstRefused(
        in object: JSONObject
    ) -> (key: String, value: JSONValue, entry: KnownKey)? {
        for (key, value) in object where !value.isNull {
            guard let entry = entry(of: key), case .refused(let harmless) = entry.fate,
                !harmless.contains(where: { Self.areEqual($0, value) })
            else { continue }
            return (key, value, entry)
        }
        return nil
    }

    /// A sentence that names the keys that the table lacks; nil where it has all.
    public func warning(aboutUnknown keys: [String], path: String) -> String? {
        let unknown = keys.filter { entry(of: $0) == nil }
        guard !unknown.isEmpty else { return nil }
        let shown = unknown.prefix(Self.shownCount).map { "'\(CheckpointError.shown($0))'" }
        let rest = unknown.count > shown.count ? " and \(unknown.count - shown.count) more" : ""
        return "\(path): \(shown.joined(separator: ", "))\(rest) "
            + "\(unknown.count == 1 ? "is a key" : "are keys") that Graft doesn't know, and "
            + "ignored; docs/base-files.md lists those that it knows"
    }

    /// More keys aren't named in one warning.
    static let shownCount = 8

    /// Numbers are equal by value, whatever they are written as.
    private static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left == right }
        return left == right
    }
}
