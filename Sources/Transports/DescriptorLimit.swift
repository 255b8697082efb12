internal import Glibc

/// How many files and sockets the process may have open.
public enum DescriptorLimit {
    /// Descriptors that are kept for files: adapters are read while all connections are open.
    public static let reservedCount = 64

    /// Raises the process's limit as far as it may.
    ///
    /// - Returns: the limit from then on.
    @discardableResult
    public static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(Self.resource, &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(Self.resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// As many connections as are wanted, or as descriptors are left for; one at least.
    ///
    /// - Parameter limit: what ``raise()`` returned.
    public static func connectionCount(wanted: Int, limit: Int) -> Int {
        max(1, min(wanted, limit - reservedCount))
    }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
