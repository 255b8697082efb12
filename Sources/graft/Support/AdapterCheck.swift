import Adapters
import Kernels
import StrictJSON
import Transformer

/// Compares an adapter attached with the same adapter merged.
struct AdapterCheck {
    let base: BaseModel
    let adapter: LoadedAdapter
    let pool: WorkerPool

    private static let tokenCount = 32

    /// Log-probabilities' largest differences.
    struct Report {
        /// Between base and attached: what the adapter does.
        let effect: Float
        /// Between attached and merged; nil for adapters that can't be merged.
        let mergeDifference: Float?
        /// What rounding may explain.
        let limit: Float

        var passed: Bool { effect > 0 && (mergeDifference ?? 0) <= limit }

        func text(_ adapter: LoadedAdapter) -> String {
            var lines = [
                "\(adapter.name): \(adapter.peftType), \(adapter.parameterCount) parameters, "
                    + "hash \(adapter.hash)",
                "targets: \(adapter.targets)",
            ]
            lines += adapter.warnings.map { "warning: \($0)" }
            lines.append("attached against base:   log-probabilities differ by up to \(effect)")
            if let mergeDifference {
                lines.append(
                    "attached against merged: log-probabilities differ by up to \(mergeDifference) "
                        + "(limit \(limit))")
            } else {
                lines.append("attached against merged: it is no change of weights")
            }
            if effect == 0 {
                lines.append("failed: the adapter changes nothing; were its weights trained?")
            } else {
                lines.append(passed ? "passed" : "failed: attached and merged disagree")
            }
            return lines.joined(separator: "\n")
        }

        func json(_ adapter: LoadedAdapter) -> JSONValue {
            .object([
                "adapter": .string(adapter.name), "peft_type": .string(adapter.peftType),
                "hash": .string(adapter.hash), "targets": .string(adapter.targets),
                "parameters": .integer(Int64(adapter.parameterCount)),
                "warnings": .array(adapter.warnings.map { .string($0) }),
                "effect": .number(Double(effect)),
                "merge_difference": mergeDifference.map { .number(Double($0)) } ?? .null,
                "limit": .number(Double(limit)), "passed": .bool(passed),
            ])
        }
    }

    func run() throws -> Report {
        let plain = logprobs(try plan(widened(AdapterOperators())))
        var operators = adapter.operators
        // What it does where it acts.
        operators.activation = nil
        let attached = logprobs(try plan(widened(operators)))
        let effect = largestDifference(plain, attached)
        guard adapter.operators.isWeightSpace else {
            return Report(effect: effect, mergeDifference: nil, limit: 0)
        }
        let merged = try adapter.operators.merged(
            name: adapter.name, into: base, weight: 1, pool: pool)
        return Report(
            effect: effect,
            mergeDifference: largestDifference(
                attached, logprobs(try plan(widened(merged)))),
            limit: limit)
    }

    /// Rounding of merged weights: 2⁻²⁴, 2⁻¹¹ or 2⁻⁹ of each weight, grown through the layers.
    private var limit: Float {
        switch base.weightType {
        case .f32, .q8_0, .q4_0, .q4_1: 1e-3
        case .f16: 0.05
        case .bf16: 0.3
        }
    }

    /// The same with the base's 8-bit and 4-bit matrices in f32, where it doesn't replace them:
    /// products with blocks round their input, and what is merged into blocks is f32 and doesn't.
    private func widened(_ operators: AdapterOperators) -> AdapterOperators {
        var wide = operators
        let base = operators.repeatedBase ?? base
        for slot in base.slots.linearSlots {
            let matrix = base.matrix(at: slot)
            let isReplaced = (operators.linear[slot] ?? []).contains {
                if case .replacement = $0 { true } else { false }
            }
            guard matrix.type.blockElementCount > 1, !isReplaced else { continue }
            let values = AlignedBuffer<Float>(count: matrix.outputCount * matrix.inputCount)
            matrix.unpack(into: values.pointer, pool: pool)
            let packed = PackedMatrix(
                packing: WeightMatrix(
                    pointer: UnsafeRawPointer(values.pointer), type: .f32,
                    outputCount: matrix.outputCount, inputCount: matrix.inputCount), pool: pool)
            wide.linear[slot, default: []].append(
                .replacement(packed, bias: base.bias(at: slot)))
        }
        return wide
    }

    private func plan(_ operators: AdapterOperators) throws -> AdapterPlan {
        try AdapterPlan(
            [SelectedOperators(name: adapter.name, operators: operators, weight: 1)],
            slots: base.slots)
    }

    private func logprobs(_ plan: AdapterPlan) -> [Float] {
        let rowCount = Self.tokenCount + plan.softPromptTokenCount
        let pages = KeyValuePagePool(
            pageCount: SlicePages.count(forTokens: rowCount, under: plan),
            layerCount: plan.layerCount, shape: base.attentionShape)
        let pass = ForwardPass(
            base: base, pages: pages, pool: pool, maximumRowCount: rowCount,
            maximumLogitsRowCount: Self.tokenCount)
        let vocabularyCount = base.configuration.vocabularyCount
        let tokens = (0..<Self.tokenCount).map { Int32(($0 * 7919 + 11) % vocabularyCount) }
        let logits = pass.step([
            StepSlice(
                plan: plan, tokens: plan.softPromptTokens + tokens, cachedTokenCount: 0,
                pages: SlicePages(forTokens: rowCount, under: plan, from: pages),
                firstLogitsRow: plan.softPromptTokenCount)
        ])
        return (0..<logits.rowCount).flatMap { index in
            let row = logits.row(index)
            let sum = Vectors.logSumExp(UnsafePointer(row.baseAddress!), count: row.count)
            return row.map { $0 - sum }
        }
    }

    private func largestDifference(_ first: [Float], _ second: [Float]) -> Float {
        zip(first, second).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }
}
