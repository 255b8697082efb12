package import Transformer

/// The forward pass, as the engine uses it: rows in, logits out.
package protocol StepRunner: AnyObject {
    /// See `ForwardPass.step`.
    func step(_ slices: [StepSlice]) -> StepLogits
}

extension ForwardPass: StepRunner {}
