package import Transformer

/// The forward pass, as the engine uses it: rows in, logits out.
package protocol StepRunner: AnyObject {
    /// See `ForwardPass.step`.
    func step(_ slices: [StepSlice]) -> StepLogits

    /// Calls `body` for 0 ..< count, several at a time, and returns when all are done.
    func concurrently(_ count: Int, _ body: (Int) -> Void)
}

extension StepRunner {
    package func concurrently(_ count: Int, _ body: (Int) -> Void) {
        for index in 0..<count { body(index) }
    }
}

extension ForwardPass: StepRunner {}
