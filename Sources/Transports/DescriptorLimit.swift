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
    /// - Parameters:
    ///   - limit: what ``raise()`` returned.
    ///   - inherited: descriptors that the process was started with, beside its streams: they
    ///     count against the limit as long as it runs.
    public static func connectionCount(wanted: Int, limit: Int, inherited: Int) -> Int {
        max(1, min(wanted, limit - reservedCount - inherited))
    }

    /// Descriptors that are open now, beside the three standard streams.
    public static func openCount() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        let own = dirfd(directory)
        var count = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let number = Int32(name), number > 2, number != own else { continue }
            count += 1
        }
        return count
    }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
