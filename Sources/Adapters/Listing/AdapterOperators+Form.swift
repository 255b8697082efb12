internal import Kernels
internal import Transformer

/// What an operator is called in listings, where it acts, and what it multiplies.
struct OperatorForm {
    let name: String
    let place: OperatorCost.Place
    var size: Int? = nil
    let productCount: Int
}

extension LinearOperator {
    /// - Parameter shape: of the layer.
    func form(_ shape: LinearShape) -> OperatorForm {
        switch self {
        case .lowRank(let lowRank):
            OperatorForm(
                name: "low rank", place: .beside, size: lowRank.rank,
                productCount: lowRank.rank * (shape.outputCount + shape.inputCount))
        case .dense:
            OperatorForm(
                name: "whole matrix", place: .beside,
                productCount: shape.outputCount * shape.inputCount)
        case .update(let map): map.listed(.beside)
        case .input(let map): map.listed(.input)
        case .output(let map): map.listed(.output)
        case .bias: OperatorForm(name: "bias", place: .beside, productCount: 0)
        case .replacement:
            OperatorForm(
                name: "whole weights", place: .instead,
                productCount: shape.outputCount * shape.inputCount)
        }
    }
}

extension RowMap {
    fileprivate func listed(_ place: OperatorCost.Place) -> OperatorForm {
        OperatorForm(name: form, place: place, productCount: productCount)
    }
}

extension EmbeddingOperator {
    /// - Parameter hiddenSize: width of the table's rows.
    func form(hiddenSize: Int) -> OperatorForm {
        switch self {
        case .lowRank(_, let b, _):
            OperatorForm(
                name: "low rank", place: .beside, size: b.inputCount,
                productCount: b.inputCount * hiddenSize)
        case .product(_, let b):
            OperatorForm(
                name: "low rank times the row", place: .beside, size: b.inputCount,
                productCount: (b.inputCount + 1) * hiddenSize)
        case .output(let map): map.listed(.output)
        case .rows: OperatorForm(name: "chosen rows", place: .beside, productCount: 0)
        case .softPrompt(let rows):
            OperatorForm(
                name: "tokens", place: .front, size: rows.count / hiddenSize, productCount: 0)
        case .replacement: OperatorForm(name: "whole weights", place: .instead, productCount: 0)
        }
    }
}
