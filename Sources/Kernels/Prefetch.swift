internal import CKernels

/// Memory that will be read soon.
public enum Prefetch {
    /// Has a value brought into the caches; the thread does not wait for it.
    public static func value<Value: BitwiseCopyable>(_ pointer: UnsafePointer<Value>) {
        gk_fetch(pointer, MemoryLayout<Value>.size)
    }
}
