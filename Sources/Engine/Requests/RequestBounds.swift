internal import Adapters
internal import Kernels
package import Transformer

/// What a request must keep to be able to run at all.
package struct RequestBounds: Sendable {
    /// Tokens of a sequence, an adapter's prefix included.
    package let contextCount: Int
    /// Pages of the cache.
    package let pageCount: Int
    /// Tokens of a page.
    package let pageTokenCount: Int
    /// Prompt tokens that one step can compute.
    package let callTokenCount: Int
    /// Prompt tokens that one step can score.
    package let callScoreCount: Int
    /// Alternatives of all prompt tokens together that a request may ask for.
    package let promptLogprobCount: Int
    /// Layers that pages have keys and values of.
    package let layerCount: Int

    package init(
        contextCount: Int, pageCount: Int, pageTokenCount: Int, layerCount: Int,
        callTokenCount: Int = .max, callScoreCount: Int = .max, promptLogprobCount: Int = .max
    ) {
        self.contextCount = contextCount
        self.pageCount = pageCount
        self.pageTokenCount = pageTokenCount
        self.callTokenCount = callTokenCount
        self.callScoreCount = callScoreCount
        self.promptLogprobCount = promptLogprobCount
        self.layerCount = layerCount
    }

    /// As many pages as the memory allows, but no more than all sequences can fill; one with a
    /// companion fills twice as many.
    init(base: BaseModel, configuration: EngineConfiguration) {
        let model = base.configuration
        let contextCount = min(
            configuration.maximumContext ?? model.maximumPositionCount, model.maximumPositionCount)
        let layerCount = max(model.layerCount, configuration.layerCount ?? 0)
        let pageByteCount = KeyValuePagePool.pageByteCount(
            layerCount: layerCount, shape: base.attentionShape)
        let sequencePageCount = KeyValuePagePool.pageCount(forTokens: contextCount)
        self.init(
            contextCount: contextCount,
            pageCount: min(
                configuration.keyValueByteCount / pageByteCount,
                sequencePageCount * max(2, configuration.maximumSequenceCount)),
            pageTokenCount: Attention.pageTokenCount, layerCount: layerCount,
            callTokenCount: configuration.maximumRowCount,
            callScoreCount: configuration.maximumLogitsRowCount
                - configuration.maximumSequenceCount,
            promptLogprobCount: configuration.maximumPromptLogprobCount)
    }

    /// Tokens that any sequence can have at most.
    package var contextTokenCount: Int { min(contextCount, pageCount * pageTokenCount) }

    /// Own tokens, prompt and new ones together, that a sequence with this plan can have.
    package func room(for plan: AdapterPlan) -> Int {
        let blockCount = pageCount / PageLayout(plan).laneCount
        let room = min(contextCount - plan.prefixTokenCount, blockCount * pageTokenCount)
        return max(0, room - plan.softPromptTokenCount)
    }

    /// - Throws: `EngineError`, where the request can't be answered whatever else goes on.
    package func check(_ request: GenerationRequest) throws(EngineError) {
        guard !request.tokens.isEmpty else { throw .emptyPrompt }
        guard request.lease.plan.layerCount <= layerCount else {
            throw .tooManyLayers(request.lease.plan.layerCount, maximum: layerCount)
        }
        let room = room(for: request.lease.plan) - (request.maximumNewTokenCount > 0 ? 1 : 0)
        guard request.tokens.count <= room else {
            throw .contextTooLong(tokenCount: request.tokens.count, maximum: max(0, room))
        }
        try checkCall(request)
        let tokenCount = Self.vocabularyCount(request.lease)
        try check(request.tokens.lazy.map(Int.init), below: tokenCount, field: "tokens")
        try check(request.sampling.logitBias.keys, below: tokenCount, field: "logit_bias")
        try check(request.maximumNewTokenCount, in: 0...Int.max, "0 or more", field: "max_tokens")
        try check(request.logprobCount ?? 0, in: 0...100, "0…100", field: "logprobs")
        try check(request.promptLogprobCount ?? 0, in: 0...100, "0…100", field: "prompt_logprobs")
        try checkPromptLogprobs(request)
        let highest = min(max(request.maximumPriority, -100), 100)
        try check(
            request.priority, in: -100...highest, "-100…\(highest)", field: "priority")
    }

    /// Tokens that all plans of a sequence have rows for.
    private static func vocabularyCount(_ lease: some PlanLease) -> Int {
        min(
            lease.plan.vocabularyCount, lease.activation?.earlierPlan.vocabularyCount ?? .max)
    }

    /// Scores are kept until the prompt is computed, and leave as one event.
    private func checkPromptLogprobs(_ request: GenerationRequest) throws(EngineError) {
        guard let count = request.promptLogprobCount, count > 0 else { return }
        let maximum = promptLogprobCount / request.tokens.count
        guard count <= maximum else {
            throw .invalidParameter(
                field: "prompt_logprobs", value: "\(count)",
                expected:
                    "0…\(maximum) for a prompt of \(request.tokens.count) tokens, as an answer has "
                    + "at most \(promptLogprobCount) alternatives of them")
        }
    }

    /// A plan that reads whole calls has its prompt in one step.
    private func checkCall(_ request: GenerationRequest) throws(EngineError) {
        guard request.lease.plan.readsWholeCalls else { return }
        let maximum =
            request.promptLogprobCount == nil
            ? callTokenCount : min(callTokenCount, callScoreCount)
        guard request.tokens.count <= maximum else {
            throw .promptInOneStep(tokenCount: request.tokens.count, maximum: maximum)
        }
    }

    private func check(
        _ tokens: some Sequence<Int>, below tokenCount: Int, field: String
    ) throws(EngineError) {
        for token in tokens where !(0..<tokenCount).contains(token) {
            throw .unknownToken(token, field: field, vocabularyCount: tokenCount)
        }
    }

    private func check(
        _ number: Int, in limits: ClosedRange<Int>, _ expected: String, field: String
    ) throws(EngineError) {
        guard limits.contains(number) else {
            throw .invalidParameter(field: field, value: "\(number)", expected: expected)
        }
    }
}
