internal import Serving

extension Server {
    /// Where clients are, what they may do there, and how many there may be.
    public struct Endpoints: Sendable, Equatable {
        public var usesStandardStreams: Bool
        public var unixSockets: [String]
        public var addresses: [ListenAddress]
        /// Who may connect to Unix sockets.
        public var socketAccess = SocketAccess.owner
        /// The directory that clients of sockets may load adapters from. Without one those of Unix
        /// sockets may load any path, those of TCP none.
        public var adapterRoot: String?
        /// Whether clients of TCP may load, unload and merge adapters and shut down. Nothing tells
        /// the owner from others there, on this machine either: a proxy or a web page connects from
        /// here as well.
        public var tcpAdministers = false
        /// Connections of sockets at the same time.
        public var maximumConnectionCount = 1024
        /// How long a TCP client may neither send nor be sent anything while it waits for nothing;
        /// nil for ever.
        public var idleTimeout: Duration?

        /// - Parameter usesStandardStreams: nil: when there are no sockets.
        public init(
            usesStandardStreams: Bool? = nil, unixSockets: [String] = [],
            addresses: [ListenAddress] = []
        ) {
            self.unixSockets = unixSockets
            self.addresses = addresses
            self.usesStandardStreams =
                usesStandardStreams ?? (unixSockets.isEmpty && addresses.isEmpty)
        }

        var hasSockets: Bool { !unixSockets.isEmpty || !addresses.isEmpty }

        /// What a client may ask for.
        func rights(isTCP: Bool) -> ClientRights {
            let paths = adapterRoot.map { AdapterPathRule.inside(root: $0) }
            guard isTCP else {
                return ClientRights(administers: true, adapterPaths: paths ?? .any)
            }
            guard tcpAdministers else { return .user }
            return ClientRights(administers: true, adapterPaths: paths ?? .none)
        }
    }
}
