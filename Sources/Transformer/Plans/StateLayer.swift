internal import Glibc
import Kernels

/// What a decoder block and a row's state do to each other: before the block its input becomes h +
/// U D (h − s); behind it the state becomes s + σ(G h) ⊙ (C h − s), h by then the block's output.
///
/// **Source**: ShadowPEFT, PEFT 0.21's `ShadowLayer`.
public final class StateLayer: Sendable {
    private let injection: LowRankMap
    private let candidate: RowNetwork
    private let gate: RowNetwork

    /// - Parameters:
    ///   - injection: U D, with its factor.
    ///   - candidate: C.
    ///   - gate: G.
    public init(injection: LowRankMap, candidate: RowNetwork, gate: RowNetwork) {
        self.injection = injection
        self.candidate = candidate
        self.gate = gate
    }

    public var byteCount: Int { injection.byteCount + candidate.byteCount + gate.byteCount }

    private var width: Int { injection.inputCount }

    /// Floats that `inject` and `update` need for themselves.
    var scratchCount: Int {
        2 * width + max(injection.scratchCount, candidate.innerCount, gate.innerCount)
    }

    /// h += U D (h − s) for one row.
    func inject(
        _ state: UnsafePointer<Float>, into hidden: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        scratch.update(from: hidden, count: width)
        Vectors.add(state, scaledBy: -1, to: scratch, count: width)
        injection.add(scratch, scaledBy: 1, to: hidden, scratch: scratch + 2 * width)
    }

    /// s += σ(G h) ⊙ (C h − s) for one row.
    func update(
        _ state: UnsafeMutablePointer<Float>, by hidden: UnsafePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let (change, gates) = (scratch, scratch + width)
        let inner = scratch + 2 * width
        candidate.apply(to: hidden, output: change, inner: inner)
        Vectors.add(state, scaledBy: -1, to: change, count: width)
        gate.apply(to: hidden, output: gates, inner: inner)
        for index in 0..<width { gates[index] = 1 / (1 + exp(-gates[index])) }
        Vectors.add(change, times: gates, scaledBy: 1, to: state, count: width)
    }
}

/// y = V gelu(W x + b) + c for single rows.
public final class RowNetwork: Sendable {
    private let first: RowMatrix
    private let firstBias: [Float]
    private let second: RowMatrix
    private let secondBias: [Float]

    /// - Parameters:
    ///   - first: W, **shape** [inner, inputCount], row-major.
    ///   - second: V, **shape** [outputCount, inner], row-major.
    public init(first: [Float], firstBias: [Float], second: [Float], secondBias: [Float]) {
        let inner = firstBias.count
        self.first = RowMatrix(
            floats: first,
            shape: LinearShape(outputCount: inner, inputCount: first.count / inner))
        self.second = RowMatrix(
            floats: second, shape: LinearShape(outputCount: secondBias.count, inputCount: inner))
        self.firstBias = firstBias
        self.secondBias = secondBias
    }

    var innerCount: Int { firstBias.count }

    var byteCount: Int {
        first.byteCount + second.byteCount
            + (firstBias.count + secondBias.count) * MemoryLayout<Float>.stride
    }

    /// - Parameter inner: `innerCount` floats with any content.
    func apply(
        to input: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
        inner: UnsafeMutablePointer<Float>
    ) {
        Vectors.multiply(first.view, input, scaledBy: 1, output: inner)
        Vectors.add(firstBias, to: inner, count: innerCount)
        for index in 0..<innerCount {
            inner[index] *= 0.5 * (1 + erf(inner[index] * Float(0.5).squareRoot()))
        }
        Vectors.multiply(second.view, inner, scaledBy: 1, output: output)
        Vectors.add(secondBias, to: output, count: secondBias.count)
    }
}
