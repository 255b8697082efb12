internal import Transformer

/// Methods that put networks between the parts of a block are checked against Llama's block alone:
/// a norm before each part, the parts one after the other, and nothing behind them.
enum PlainBlocks {
    /// - Parameter method: as messages name it, in the plural or with its article.
    /// - Throws: `AdapterError.configuration` for a base of other blocks.
    static func check(
        _ base: BaseModel, method: String, file: String
    ) throws(AdapterError) {
        guard !base.configuration.hasPlainBlocks else { return }
        throw .configuration(
            file: file,
            reason: "\(method) can't be served on a base of type "
                + "'\(base.configuration.modelType)': they are exact in blocks like Llama's alone, "
                + "with a norm before each part and none behind it")
    }
}
