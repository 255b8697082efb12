internal import Checkpoints
internal import Transformer

extension AdapterFile {
    /// The same adapter with the rows of Q's and K's factors, or of fused ones, in the order of
    /// Hugging Face.
    ///
    /// The identity stays that of the file.
    ///
    /// - Throws: `AdapterError.unconvertible` where rows and heads don't fit.
    func inRowOrder(of base: DecoderSpec) throws(AdapterError) -> AdapterFile {
        guard layout.movesRows else { return self }
        var restored: [AdapterTensor] = []
        for tensor in tensors {
            restored.append(try QueryKeyRows.restored(tensor, base: base, layout))
        }
        var file = self
        file.tensors = restored
        file.layout = StoredLayout()
        return file
    }
}
