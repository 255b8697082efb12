internal import Transformer

/// Whole modules and resized tables that were saved beside a soft prompt or a prefix. PEFT wraps
/// nothing around the base there, so the names of its modules follow at once:
///
///     base_model.<module>.weight, .bias
///
/// **Source**: `modules_to_save` of `PromptLearningConfig`, PEFT 0.21.
enum PromptModules {
    static let prefix = "base_model."

    /// Sorts the tensors of an adapter that targets no modules.
    ///
    /// - Parameters:
    ///   - configuration: of which `modules_to_save` is taken.
    ///   - method: its name, for messages.
    ///   - names: of the method's own tensors.
    static func compiler(
        _ file: AdapterFile, _ configuration: inout AdapterConfiguration, method: String,
        names: Set<String>, in context: Methods.Context
    ) throws(AdapterError) -> TunerCompiler {
        let slots = context.base.slots
        return TunerCompiler(
            settings: try TunerSettings(withoutTargets: &configuration),
            tensors: try TunerTensors(
                file, slots: slots, method: method, parts: [], shared: names, prefix: prefix),
            context: context,
            vocabularyCount: try ResizedTables.tokenCount(in: file, slots: slots, prefix: prefix),
            configurationFile: configuration.file)
    }
}

extension TunerCompiler {
    /// Values of a tensor that belongs to no module, by its whole name.
    ///
    /// - Parameter reason: what the expected shape follows from.
    /// - Throws: `AdapterError.missingTensor`, `.wrongShape`, and what is wrong with values.
    mutating func floats(
        named name: String, shape: [Int], reason: String
    ) throws(AdapterError) -> [Float] {
        let tensor = try tensors.requireShared(name, reason: "the method consists of it")
        try check(tensor, shape: shape, reason: reason)
        return try floats(tensor)
    }

    /// Puts a soft prompt before what was saved.
    ///
    /// Beside one, PEFT looks tokens up in the table that stood there before modules were wrapped:
    /// an embedding that was saved whole has no effect, in training neither.
    ///
    /// - Parameter rows: **Shape** [tokens, hiddenSize].
    mutating func addSoftPrompt(_ rows: [Float]) throws(AdapterError) {
        try compileSaved()
        if savedSlots().contains(.embedding) {
            let module = slots.name(of: .embedding)
            guard operators.vocabulary == nil else {
                throw .unsupportedSetting(
                    "modules_to_save", value: "\"\(module)\"",
                    reason: "training resized it to \(vocabularyCount) tokens, and beside a soft "
                        + "prompt PEFT computes with the table from before it, which the file lacks",
                    file: configurationFile)
            }
            operators.embedding.removeAll()
            warnings.append(
                "\(configurationFile): 'modules_to_save' names '\(module)', which PEFT doesn't use "
                    + "beside a soft prompt; the base's own is used")
        }
        operators.embedding.append(.softPrompt(rows))
    }
}
