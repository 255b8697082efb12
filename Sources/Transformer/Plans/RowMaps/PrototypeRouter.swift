import Kernels

/// Gates by how far a row points along the prototype of each expert, whichever way round:
/// g = softmax over the largest k of |p_e · x| / temperature; the others get 0.
///
/// **Source**: Arrow, arXiv 2405.11157.
public struct PrototypeRouter: Sendable {
    private let prototypes: RowMatrix
    /// How many experts get a gate that isn't 0.
    public let chosenCount: Int
    private let temperature: Float

    /// - Parameters:
    ///   - prototypes: **Shape** [experts, inputCount], row-major.
    ///   - chosenCount: from 1 to the number of experts.
    public init(prototypes: [Float], expertCount: Int, chosenCount: Int, temperature: Float) {
        precondition((1...expertCount).contains(chosenCount))
        self.prototypes = RowMatrix(
            floats: prototypes,
            shape: LinearShape(
                outputCount: expertCount, inputCount: prototypes.count / expertCount))
        self.chosenCount = chosenCount
        self.temperature = temperature
    }

    public var expertCount: Int { prototypes.outputCount }
    var byteCount: Int { prototypes.byteCount }

    /// - Parameters:
    ///   - gates: **Shape** [experts].
    ///   - scores: the same shape, any content.
    func route(
        _ input: UnsafePointer<Float>, to gates: UnsafeMutablePointer<Float>,
        scores: UnsafeMutablePointer<Float>
    ) {
        Vectors.multiply(prototypes.view, input, scaledBy: 1, output: scores)
        for expert in 0..<expertCount {
            scores[expert] = abs(scores[expert])
            gates[expert] = scores[expert] / temperature
        }
        let largest = gates[Vectors.indexOfMaximum(gates, count: expertCount)]
        _ = Vectors.exponentials(gates, minus: largest, count: expertCount)
        var sum: Float = 0
        for expert in 0..<expertCount {
            if TopValues.rank(of: expert, in: scores, count: expertCount) >= chosenCount {
                gates[expert] = 0
            }
            sum += gates[expert]
        }
        for expert in 0..<expertCount { gates[expert] /= sum }
    }
}

/// The largest of a few values.
enum TopValues {
    /// How many values go before one: the larger, and of equal ones those that come first.
    static func rank(of index: Int, in values: UnsafePointer<Float>, count: Int) -> Int {
        var rank = 0
        for other in 0..<count
        where values[other] > values[index] || other < index && values[other] == values[index] {
            rank += 1
        }
        return rank
    }
}
