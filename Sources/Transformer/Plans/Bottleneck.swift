import Kernels

/// What a sublayer adds to the residual stream, changed by a small network of two layers.
///
/// With o what the sublayer made and r the residual stream before it (each `Mix` is a sum of
/// these):
///
///     x  = input(o, r)
///     u  = scaling ⊙ (B f(A normBefore(x) + a) + b)
///     o' = normAfter(u + inner(o, r)) + outer(o, r)
///
/// o' stands in o's place: the stream goes on as r + o'. A bottleneck that stands behind its
/// sublayer has x = o, one beside it x = r.
///
/// **Source**: arXiv 1902.00751, section 2.1; beside the sublayer, arXiv 2110.04366, table 1.
public final class Bottleneck: Sendable {
    /// A weighted sum of what the sublayer made and of the residual stream before it.
    public struct Mix: Equatable, Sendable {
        public let output: Float
        public let stream: Float

        public init(output: Float, stream: Float) {
            self.output = output
            self.stream = stream
        }

        public static let nothing = Mix(output: 0, stream: 0)
    }

    /// Where the network stands.
    public struct Placement: Equatable, Sendable {
        public let input: Mix
        public let inner: Mix
        public let outer: Mix

        public init(input: Mix, inner: Mix, outer: Mix) {
            self.input = input
            self.inner = inner
            self.outer = outer
        }
    }

    /// The two layers.
    public struct Network: Sendable {
        let down: RowMatrix
        let downBias: [Float]
        let function: ActivationFunction
        let up: PackedMatrix
        let upBias: [Float]
        let scaling: [Float]

        /// - Parameters:
        ///   - down: A, **shape** [width, hiddenSize]; its bias [width].
        ///   - up: B, **shape** [hiddenSize, width]; its bias [hiddenSize].
        ///   - scaling: **Shape** [hiddenSize].
        public init(
            down: [Float], downBias: [Float], function: ActivationFunction, up: [Float],
            upBias: [Float], scaling: [Float]
        ) {
            let (width, hiddenSize) = (downBias.count, upBias.count)
            precondition(down.count == width * hiddenSize && up.count == down.count)
            precondition(scaling.count == hiddenSize)
            self.down = RowMatrix(
                floats: down, shape: LinearShape(outputCount: width, inputCount: hiddenSize))
            self.up = up.withUnsafeBytes {
                PackedMatrix(
                    packing: WeightMatrix(
                        pointer: $0.baseAddress!, type: .f32, outputCount: hiddenSize,
                        inputCount: width), pool: nil)
            }
            self.downBias = downBias
            self.function = function
            self.upBias = upBias
            self.scaling = scaling
        }
    }

    /// Features of the layer between the two matrices.
    public var width: Int { network.down.outputCount }
    let network: Network
    private let placement: Placement
    /// True where it takes what the sublayer made; otherwise it stands beside the sublayer.
    package var standsBehind: Bool { placement.input.output != 0 }
    private let normBefore: LayerNorm?
    private let normAfter: LayerNorm?
    private var hiddenSize: Int { network.down.inputCount }

    public init(
        network: Network, placement: Placement, normBefore: LayerNorm? = nil,
        normAfter: LayerNorm? = nil
    ) {
        self.network = network
        self.placement = placement
        self.normBefore = normBefore
        self.normAfter = normAfter
    }

    /// Bytes of its matrices and vectors.
    public var byteCount: Int {
        let vectors = [network.downBias.count, network.upBias.count, network.scaling.count]
        let norms = [normBefore, normAfter].compactMap { $0 }.count * 2 * hiddenSize
        return network.down.byteCount + network.up.byteCount
            + (vectors.reduce(norms, +)) * MemoryLayout<Float>.stride
    }

    /// What the first layer takes.
    ///
    /// - Parameters:
    ///   - output: o, **shape** [hiddenSize].
    ///   - stream: r, **shape** [hiddenSize].
    ///   - input: **Shape** [hiddenSize], with any content before.
    func prepare(
        output: UnsafePointer<Float>, stream: UnsafePointer<Float>,
        input: UnsafeMutablePointer<Float>
    ) {
        input.update(repeating: 0, count: hiddenSize)
        add(placement.input, output, stream, to: input)
        normBefore?.normalize(input)
    }

    /// f(values + a), in place.
    ///
    /// - Parameter values: what the first matrix made, **shape** [width].
    func activate(_ values: UnsafeMutablePointer<Float>) {
        for index in 0..<width {
            values[index] = network.function.value(values[index] + network.downBias[index])
        }
    }

    /// Puts o' in o's place.
    ///
    /// - Parameters:
    ///   - values: what the second matrix made, **shape** [hiddenSize]; its content is lost.
    ///   - output: o, **shape** [hiddenSize].
    ///   - stream: r, **shape** [hiddenSize].
    func finish(
        _ values: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>,
        stream: UnsafePointer<Float>
    ) {
        for index in 0..<hiddenSize {
            values[index] = (values[index] + network.upBias[index]) * network.scaling[index]
        }
        add(placement.inner, output, stream, to: values)
        normAfter?.normalize(values)
        add(placement.outer, output, stream, to: values)
        output.update(from: values, count: hiddenSize)
    }

    private func add(
        _ mix: Mix, _ output: UnsafePointer<Float>, _ stream: UnsafePointer<Float>,
        to values: UnsafeMutablePointer<Float>
    ) {
        if mix.output != 0 {
            Vectors.add(output, scaledBy: mix.output, to: values, count: hiddenSize)
        }
        if mix.stream != 0 {
            Vectors.add(stream, scaledBy: mix.stream, to: values, count: hiddenSize)
        }
    }
}
