internal import Glibc

/// Blocking output to a descriptor, whatever mode it is in.
enum FileDescriptorOutput {
    /// Writes all bytes; survives interruptions, partial writes and a non-blocking descriptor.
    ///
    /// - Returns: false when the descriptor takes no more.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = write(descriptor, rest.base.baseAddress! + rest.startIndex, rest.count)
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&interest, 1, 1000)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}
