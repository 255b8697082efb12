internal import Transformer

/// Multitask prompt tuning: a shared soft prompt, and a matrix of low rank for each task that it is
/// multiplied with, element by element.
///
///     prompt_embeddings    [tokens, hidden]
///     prefix_task_cols     [tasks, tokens, rank]
///     prefix_task_rows     [tasks, rank, hidden]
///     base_model.<module>  modules_to_save
///
/// A request has no way to name a task: task 0 is served, and where there are several a warning
/// says so.
///
/// **Source**: arXiv 2303.02861; PEFT 0.21.
enum MultitaskPromptTuning {
    private static let columnsName = "prefix_task_cols"
    private static let rowsName = "prefix_task_rows"
    private static let trainingOnly: Set<String> = [
        "num_layers", "num_attention_heads", "prompt_tuning_init", "prompt_tuning_init_text",
        "prompt_tuning_init_state_dict_path", "prompt_tuning_init_task", "tokenizer_kwargs",
        "tokenizer_name_or_path",
    ]

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let shape = try PromptShape(&configuration, base: context.base)
        let taskCount = try configuration.optionalCount("num_tasks", limit: 1 << 16) ?? 1
        let rank = try configuration.optionalCount("num_ranks", limit: 1 << 15) ?? 1
        var compiler = try PromptModules.compiler(
            file, &configuration, method: "multitask prompt tuning",
            names: [PromptTuning.tensorName, columnsName, rowsName], in: context)
        var warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        if taskCount > 1 {
            warnings.append(
                "\(configuration.file): the prompt is for \(taskCount) tasks; task 0 is served")
        }
        var rows = try compiler.floats(
            named: PromptTuning.tensorName, shape: shape.dimensions, reason: shape.reason)
        let reason = "'num_tasks' is \(taskCount) and 'num_ranks' \(rank); \(shape.reason)"
        let left = try compiler.floats(
            named: columnsName, shape: [taskCount, shape.tokenCount, rank], reason: reason)
        let right = try compiler.floats(
            named: rowsName, shape: [taskCount, rank, shape.hiddenSize], reason: reason)
        for token in 0..<shape.tokenCount {
            for column in 0..<shape.hiddenSize {
                var factor: Float = 0
                for i in 0..<rank {
                    factor += left[token * rank + i] * right[i * shape.hiddenSize + column]
                }
                rows[token * shape.hiddenSize + column] *= factor
            }
        }
        try compiler.addSoftPrompt(rows)
        return compiler.result(warnings: warnings)
    }
}
