/// How adapters are read.
public struct AdapterOptions: Sendable, Equatable {
    /// True: a setting that Graft doesn't know refuses the adapter instead of warning.
    public var strict: Bool
    /// Where given, only files that lie in this directory are read, wherever links lead: of
    /// mixtures the experts' as well.
    public var root: String?
    /// The type that the matrices of updates are kept in.
    public var updateType: UpdateType

    public init(strict: Bool = false, root: String? = nil, updateType: UpdateType = .file) {
        self.strict = strict
        self.root = root
        self.updateType = updateType
    }
}
