/// Which paths clients may load adapters from.
public enum AdapterPathRule: Sendable, Equatable {
    /// Any: the client is the user who started the program.
    case any
    /// Only what lies in this directory, each file of it, wherever symbolic links lead.
    case inside(root: String)
    /// None: clients use the adapters that are there.
    case none

    /// The directory that the files of a client's adapter must lie in; nil: anywhere.
    ///
    /// That they do is checked as each is opened: checked before, it could be untrue again by then.
    ///
    /// - Throws: `adapter_invalid` where clients load nothing.
    func root() throws(ServingError) -> String? {
        switch self {
        case .any: return nil
        case .inside(let root): return root
        case .none:
            throw ServingError(
                .adapterInvalid,
                "this server loads no adapters for clients: start it with --adapter-root",
                field: "path")
        }
    }
}
