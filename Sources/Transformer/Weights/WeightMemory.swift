internal import Glibc

/// The memory that a base's weights take, held against what the machine has before any is taken.
package enum WeightMemory {
    /// Memory and swap of the machine, bytes; nil where the system doesn't say.
    package static var machine: Int? {
        let descriptor = open("/proc/meminfo", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let content = [UInt8](unsafeUninitializedCapacity: 1 << 14) { buffer, count in
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
        }
        let counts = String(decoding: content, as: UTF8.self).split(separator: "\n").compactMap {
            line -> Int? in
            guard line.hasPrefix("MemTotal:") || line.hasPrefix("SwapTotal:") else { return nil }
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }
        return counts.isEmpty ? nil : counts.reduce(0, +) << 10
    }

    /// - Parameters:
    ///   - needed: bytes of all tensors, as their file says.
    ///   - available: bytes that there are; nil: not known.
    /// - Throws: `TransformerError.tooLarge`.
    package static func check(
        needed: Int, available: Int?, file: String
    ) throws(TransformerError) {
        guard let available, needed > available else { return }
        throw .tooLarge(needed: needed, available: available, file: file)
    }
}
