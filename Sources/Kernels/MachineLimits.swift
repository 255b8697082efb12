internal import CKernels

/// What this machine can do at most, measured: the yardstick of products and steps.
public enum MachineLimits {
    private static let bufferFloatCount = 64 << 20
    private static let roundCount = 2_000_000

    /// Bytes a second that all workers together read from memory; the median of `repeatCount`
    /// passes over 256 MiB.
    public static func readBandwidth(pool: WorkerPool, repeatCount: Int = 7) -> Double {
        let buffer = AlignedBuffer<Float>(count: bufferFloatCount)
        let taskCount = pool.threadCount * 8
        let share = bufferFloatCount / taskCount
        // Touched by the workers first, so that every page is there.
        pool.run(taskCount: taskCount) { task, _ in
            (buffer.pointer + task * share).update(repeating: 1, count: share)
        }
        let byteCount = Double(share * taskCount * MemoryLayout<Float>.stride)
        return median(repeatCount) {
            pool.run(taskCount: taskCount) { task, _ in
                _ = gk_read_floats(buffer.pointer + task * share, share)
            }
            return byteCount
        }
    }

    /// Operations a second that all workers together do in products with weights of a type, on
    /// registers alone; a multiplication and an addition are two.
    public static func peakArithmetic(
        _ type: WeightType, pool: WorkerPool, repeatCount: Int = 5
    ) -> Double {
        let sinks = AlignedBuffer<Float>(count: pool.threadCount * 16)
        let counts = AlignedBuffer<Int>(count: pool.threadCount * 8)
        return median(repeatCount) {
            pool.run(taskCount: pool.threadCount) { task, _ in
                counts.pointer[task * 8] = gk_peak(
                    type.kernelType, roundCount, sinks.pointer + task * 16)
            }
            return Double((0..<pool.threadCount).reduce(0) { $0 + counts.pointer[$1 * 8] })
        }
    }

    /// The median rate of a job that returns how much it did.
    private static func median(_ repeatCount: Int, _ job: () -> Double) -> Double {
        let clock = ContinuousClock()
        _ = job()
        let rates = (0..<max(1, repeatCount)).map { _ in
            var amount = 0.0
            let (seconds, attoseconds) = clock.measure { amount = job() }.components
            return amount / (Double(seconds) + Double(attoseconds) * 1e-18)
        }.sorted()
        return rates[rates.count / 2]
    }
}
