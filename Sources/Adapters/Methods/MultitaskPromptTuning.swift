internal import Transformer

/// Multitask prompt tuning: a shared soft prompt, and a matrix of low rank for each task that it is
/// multiplied with, element by element.
///
///     prompt_embeddings    [tokens, hidden]
///     prefix_task_cols     [tasks, tokens, rank]
///     prefix_task_rows     [tasks, rank, hidden]
///
/// A request has no way to name a task: task 0 is served, and where there are several a warning says
/// so.
///
/// **Source**: arXiv 2303.02861; PEFT 0.21.
enum MultitaskPromptTuning {
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
        var warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        if taskCount > 1 {
            warnings.append(
                "\(configuration.file): the prompt is for \(taskCount) tasks; task 0 is served")
        }
        var tensors = NamedTensors(file)
        var rows = try tensors.take(
            PromptTuning.tensorName, shape: shape.dimensions, reason: shape.reason)
        let reason = "'num_tasks' is \(taskCount) and 'num_ranks' \(rank); \(shape.reason)"
        let left = try tensors.take(
            "prefix_task_cols", shape: [taskCount, shape.tokenCount, rank], reason: reason)
        let right = try tensors.take(
            "prefix_task_rows", shape: [taskCount, rank, shape.hiddenSize], reason: reason)
        try tensors.checkNothingIsLeft()
        for token in 0..<shape.tokenCount {
            for column in 0..<shape.hiddenSize {
                var factor: Float = 0
                for i in 0..<rank {
                    factor += left[token * rank + i] * right[i * shape.hiddenSize + column]
                }
                rows[token * shape.hiddenSize + column] *= factor
            }
        }
        return PromptTuning.compiled(
            rows, parameterCount: rows.count + left.count + right.count, warnings, context)
    }
}
