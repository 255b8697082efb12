internal import Adapters
internal import Engine
internal import StrictJSON

extension Service {
    /// The fields of a `stats` event.
    var statistics: JSONObject {
        let engine = context.generator.statistics()
        return [
            "uptime_ms": uptime.json,
            "connections": number(connectionCount),
            "adapters": number(context.adapters.memory.totalCount),
            "adapter_memory": .object(adapterMemory),
            "requests": .object(requests(engine)),
            "prompt_tokens": number(engine.promptTokenCount),
            "completion_tokens": number(engine.generatedTokenCount),
            "steps": .object([
                "count": number(engine.stepCount),
                "rows": number(engine.rowCount),
                "last_rows": number(engine.lastStepRowCount),
                "most_rows": number(engine.maximumStepRowCount),
                "most_selections": number(engine.maximumPlanCount),
                "preemptions": number(engine.preemptionCount),
            ]),
            "drafts": .object([
                "tokens": number(engine.draftedTokenCount),
                "accepted": number(engine.acceptedDraftTokenCount),
            ]),
            "pages": .object([
                "used": number(engine.usedPageCount), "total": number(engine.totalPageCount),
                "cached": number(engine.cachedPageCount),
            ]),
            "cache": .object([
                "hit_tokens": number(engine.cachedTokenCount),
                "miss_tokens": number(engine.computedPromptTokenCount),
                "evicted_pages": number(engine.evictedPageCount),
            ]),
        ]
    }

    private var adapterMemory: JSONObject {
        let memory = context.adapters.memory
        return [
            "bytes": number(memory.byteCount), "merged_bytes": number(memory.mergedByteCount),
            "limit": memory.byteCountLimit.map { number($0) } ?? .null,
            "resident": number(memory.residentCount), "idle": number(memory.idleCount),
            "loads": number(memory.loadCount), "drops": number(memory.dropCount),
            "waiting": number(memory.waitingCount),
            "tokenizers": number(memory.tokenizerCount),
            "tokenizer_bytes": number(memory.tokenizerByteCount),
        ]
    }

    private func requests(_ engine: EngineStatistics) -> JSONObject {
        var object: JSONObject = [
            "running": number(engine.runningCount), "waiting": number(engine.waitingCount),
        ]
        for reason in FinishReason.allCases {
            object[reason.rawValue] = number(
                (engine.finishedCounts[reason] ?? 0) + unstartedCount(reason))
        }
        object["failed"] = number(engine.failedCount)
        return object
    }

    private func number(_ count: Int) -> JSONValue { .integer(Int64(count)) }
}
