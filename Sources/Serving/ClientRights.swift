/// What a client may ask for, by where it connects.
public struct ClientRights: Sendable, Equatable {
    /// Whether it may load, unload, merge and unmerge adapters and shut the server down.
    public var administers: Bool
    /// Which paths it may load adapters from.
    public var adapterPaths: AdapterPathRule
    /// The highest `priority` of its requests.
    public var priorityCeiling: Int

    public init(
        administers: Bool, adapterPaths: AdapterPathRule,
        priorityCeiling: Int = ClientRights.highestPriority
    ) {
        self.administers = administers
        self.adapterPaths = adapterPaths
        self.priorityCeiling = priorityCeiling
    }

    /// The highest `priority` that there is; the lowest is as far below 0.
    public static let highestPriority = 100

    /// Those of the user who started the server.
    public static let owner = ClientRights(administers: true, adapterPaths: .any)

    /// Those of a client that uses what is there: it asks for answers, and for no place before
    /// others.
    public static let user = ClientRights(
        administers: false, adapterPaths: .none, priorityCeiling: 0)
}

extension ClientRequest {
    /// The protocol's name of an operation that only clients who administer may ask for; nil for
    /// others.
    var administration: String? {
        switch self {
        case .loadAdapter: "load_adapter"
        case .unloadAdapter: "unload_adapter"
        case .mergeAdapter: "merge_adapter"
        case .unmergeAdapter: "unmerge_adapter"
        case .shutdown: "shutdown"
        case .generate, .cancel, .listAdapters, .tokenize, .detokenize, .stats: nil
        }
    }
}

extension ClientRights {
    /// - Throws: `not_permitted`.
    func check(_ request: ClientRequest) throws(ServingError) {
        if !administers, let name = request.administration {
            throw ServingError(
                .notPermitted,
                "clients of this address may not ask for '\(name)': use standard input or a Unix "
                    + "socket, or start the server with --tcp-admin", field: "op")
        }
        if case .generate(let request) = request, request.priority > priorityCeiling {
            throw ServingError(
                .notPermitted,
                "'priority' is \(request.priority), and requests of this address have at most "
                    + "\(priorityCeiling): start the server with --tcp-admin to let them have more",
                field: "priority")
        }
    }
}
