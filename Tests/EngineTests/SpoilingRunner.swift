import Engine
import Transformer

/// The forward pass with some rows of logits spoilt.
final class SpoilingRunner: StepRunner {
    private let forward: ForwardPass
    private let isSpoilt: (_ slice: StepSlice, _ place: Int) -> Bool
    private let spoil: (UnsafeMutableBufferPointer<Float>) -> Void

    /// - Parameters:
    ///   - isSpoilt: of a slice and a place in its tokens.
    ///   - spoil: changes the row of such a token.
    init(
        _ forward: ForwardPass,
        where isSpoilt: @escaping (_ slice: StepSlice, _ place: Int) -> Bool,
        spoil: @escaping (UnsafeMutableBufferPointer<Float>) -> Void
    ) {
        self.forward = forward
        self.isSpoilt = isSpoilt
        self.spoil = spoil
    }

    func step(_ slices: [StepSlice]) -> StepLogits {
        let logits = forward.step(slices)
        var row = 0
        for slice in slices {
            for place in slice.firstLogitsRow..<slice.tokens.count {
                if isSpoilt(slice, place) { spoil(logits.row(row)) }
                row += 1
            }
        }
        return logits
    }
}
