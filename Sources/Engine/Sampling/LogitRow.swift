/// One row of logits as the model gave it.
package struct LogitRow {
    private let logits: UnsafeMutableBufferPointer<Float>

    package init(_ logits: UnsafeMutableBufferPointer<Float>) {
        self.logits = logits
    }

    /// True when no logit is infinite or not a number.
    package var isFinite: Bool {
        // x · 0 is 0 for finite x and not a number for all others.
        var sums = SIMD16<Float>(repeating: 0)
        let vectorCount = logits.count / 16
        let raw = UnsafeRawBufferPointer(logits)
        for vector in 0..<vectorCount {
            sums += raw.loadUnaligned(fromByteOffset: vector * 64, as: SIMD16<Float>.self) * 0
        }
        return sums.sum() == 0 && logits[(vectorCount * 16)...].allSatisfy(\.isFinite)
    }
}
