import Kernels

/// From a hidden state to gates of experts: a few linear layers with ReLU between them, then what
/// is made of each group of scores.
///
/// **Source**: X-LoRA, arXiv 2402.07148; PEFT 0.21's `XLoraClassifier` and `XLoraLayer`.
public final class GateNetwork: RowMap, @unchecked Sendable {
    /// y = W x + b
    public struct Layer: Sendable {
        let weight: RowMatrix
        /// **Shape**: [outputCount].
        let bias: [Float]

        /// - Parameters:
        ///   - weight: **Shape** [outputCount, inputCount], row-major.
        ///   - bias: **Shape** [outputCount].
        public init(weight: [Float], bias: [Float]) {
            self.bias = bias
            self.weight = RowMatrix(
                floats: weight,
                shape: LinearShape(
                    outputCount: bias.count, inputCount: weight.count / bias.count))
        }
    }

    private let layers: [Layer]
    private let finish: GateFinish
    /// The widest layer's outputs.
    private let width: Int

    /// - Parameter layers: at least one, in order; the last one's outputs are whole groups.
    public init(_ layers: [Layer], finish: GateFinish) {
        let outputCount = layers[layers.count - 1].bias.count
        precondition(outputCount % finish.expertCount == 0)
        self.layers = layers
        self.finish = finish
        width = layers.reduce(finish.expertCount) { max($0, $1.bias.count) }
        super.init(inputCount: layers[0].weight.inputCount, outputCount: outputCount)
    }

    public override var isLinear: Bool { false }
    public override var byteCount: Int {
        layers.reduce(0) {
            $0 + $1.weight.byteCount + $1.bias.count * MemoryLayout<Float>.stride
        }
    }
    public override var productCount: Int {
        layers.reduce(0) { $0 + $1.weight.outputCount * $1.weight.inputCount }
    }
    public override var form: String { "gates" }
    override var scratchCount: Int { 2 * width }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        var (values, spare) = (scratch, scratch + width)
        var current = input
        for (index, layer) in layers.enumerated() {
            Vectors.multiply(layer.weight.view, current, scaledBy: 1, output: values)
            Vectors.add(layer.bias, to: values, count: layer.bias.count)
            if index < layers.count - 1 {
                for place in 0..<layer.bias.count { values[place] = max(0, values[place]) }
            }
            current = UnsafePointer(values)
            swap(&values, &spare)
        }
        // `spare` holds the scores.
        for group in stride(from: 0, to: outputCount, by: finish.expertCount) {
            finish.apply(to: spare + group, scratch: values)
        }
        Vectors.add(spare, scaledBy: scale, to: output, count: outputCount)
    }
}

/// What is made of the scores of a group of experts, in this order.
public struct GateFinish: Sendable {
    public let expertCount: Int
    /// A softmax over all scores divided by it; nil: the scores as they are.
    private let temperature: Float?
    /// Only so many of the largest stay, the others become 0; nil: all.
    private let chosenCount: Int?
    /// Then a softmax over those that aren't 0.
    private let normalizesChosen: Bool

    /// - Parameter chosenCount: from 1 to the number of experts.
    public init(
        expertCount: Int, temperature: Float?, chosenCount: Int?, normalizesChosen: Bool
    ) {
        self.expertCount = expertCount
        self.temperature = temperature
        self.chosenCount = chosenCount
        self.normalizesChosen = normalizesChosen
    }

    /// The gates of a pass in which every score is the same and no softmax comes first.
    public func gates(ofEqual score: Float) -> [Float] {
        var gates = [Float](repeating: score, count: expertCount)
        var scratch = gates
        gates.withUnsafeMutableBufferPointer { gates in
            scratch.withUnsafeMutableBufferPointer {
                choose(gates.baseAddress!, scratch: $0.baseAddress!)
            }
        }
        return gates
    }

    /// - Parameters:
    ///   - scores: become the gates. **Shape** [experts].
    ///   - scratch: the same shape, any content.
    func apply(
        to scores: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        if let temperature {
            for expert in 0..<expertCount { scores[expert] /= temperature }
            let largest = scores[Vectors.indexOfMaximum(scores, count: expertCount)]
            let sum = Vectors.exponentials(scores, minus: largest, count: expertCount)
            for expert in 0..<expertCount { scores[expert] /= sum }
        }
        choose(scores, scratch: scratch)
    }

    private func choose(
        _ gates: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        if let chosenCount {
            scratch.update(from: gates, count: expertCount)
            for expert in 0..<expertCount
            where TopValues.rank(of: expert, in: scratch, count: expertCount) >= chosenCount {
                gates[expert] = 0
            }
        }
        guard normalizesChosen else { return }
        var largest = -Float.infinity
        for expert in 0..<expertCount where gates[expert] != 0 {
            largest = max(largest, gates[expert])
        }
        guard largest.isFinite else { return }
        scratch.update(from: gates, count: expertCount)
        _ = Vectors.exponentials(scratch, minus: largest, count: expertCount)
        var sum: Float = 0
        for expert in 0..<expertCount where gates[expert] != 0 { sum += scratch[expert] }
        for expert in 0..<expertCount where gates[expert] != 0 {
            gates[expert] = scratch[expert] / sum
        }
    }
}
