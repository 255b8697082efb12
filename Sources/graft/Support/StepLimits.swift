import Kernels
import Transformer

/// How fast steps could be on this machine if nothing but the base's matrices cost time.
struct StepLimits {
    /// Bytes a second.
    let readBandwidth: Double
    /// Operations a second in the type of most weights.
    let peakArithmetic: Double
    private let base: BaseModel

    /// Measures the machine.
    init(base: BaseModel, pool: WorkerPool) {
        self.base = base
        readBandwidth = MachineLimits.readBandwidth(pool: pool)
        peakArithmetic = MachineLimits.peakArithmetic(base.weightType, pool: pool)
    }

    /// Tokens a second of steps with this many rows: every matrix is read once a step, and each
    /// weight is a multiplication and an addition a row. The slower of the two counts.
    ///
    /// - Parameter withHead: whether every row reaches the head, as in decoding.
    func tokensPerSecond(rowCount: Int, withHead: Bool) -> Double {
        var byteCount = 0
        var weightCount = 0
        for slot in base.slots.linearSlots {
            if slot == .head, !withHead { continue }
            let matrix = base.matrix(at: slot)
            byteCount += matrix.byteCount
            weightCount += matrix.outputCount * matrix.inputCount
        }
        let reading = Double(byteCount) / readBandwidth
        let computing = Double(2 * weightCount * rowCount) / peakArithmetic
        return Double(rowCount) / max(reading, computing)
    }
}
