import Adapters
import Kernels
import Testing
import Transformer

/// Rows of many methods in one step, each with its own answer.
struct MixedMethodsTests {
    private static let pool = GoldenTests.pool

    /// One sequence for each method that there is a case of on the base, and one for the base.
    private struct Batch {
        let base: BaseModel
        var cases: [MethodCase] = []
        var plans: [AdapterPlan] = []
        var methods: Set<String> = []

        init(_ baseName: String) throws {
            base = try GoldenTests.base(baseName)
            let supported = Set(AdapterReader.supportedMethods)
            for golden in MethodCase.all where golden.base == baseName {
                guard golden.adapters.count == 1, !MethodGoldenTests.isRefused(golden) else {
                    continue
                }
                let type = try golden.peftType()
                guard supported.contains(type) else { continue }
                let adapter = try AdapterReader.read(
                    name: golden.id, path: golden.path(golden.adapters[0].name),
                    slots: base.slots, base: base, pool: MixedMethodsTests.pool)
                cases.append(golden)
                methods.insert(type)
                plans.append(
                    try AdapterPlan(
                        [
                            SelectedOperators(
                                name: golden.id, operators: adapter.operators, weight: 1)
                        ], slots: base.slots))
            }
        }

        /// All sequences' first prompts in one step, the base's own before and after them.
        func logits() -> (cases: [[Float]], base: [[Float]]) {
            let basePlan = AdapterPlan.base(base.slots)
            let sequences =
                [(basePlan, cases[0].prompts[0])]
                + zip(plans, cases).map { ($0, $0.softPromptTokens + $1.prompts[0]) }
                + [(AdapterPlan.base(base.slots), cases[0].prompts[0])]
            let rowCount = sequences.reduce(0) { $0 + $1.1.count }
            let pagePool = KeyValuePagePool(
                pageCount: sequences.reduce(0) {
                    $0 + SlicePages.count(forTokens: $1.1.count, under: $1.0)
                }, layerCount: plans.reduce(0) { max($0, $1.layerCount) },
                shape: base.attentionShape)
            let pass = ForwardPass(
                base: base, pages: pagePool, pool: MixedMethodsTests.pool,
                maximumRowCount: rowCount, maximumLogitsRowCount: rowCount)
            let logits = pass.step(
                sequences.flatMap { plan, tokens in
                    let slice = StepSlice(
                        plan: plan, tokens: tokens, cachedTokenCount: 0,
                        pages: SlicePages(
                            forTokens: tokens.count, under: plan, from: pagePool),
                        firstLogitsRow: plan.softPromptTokenCount)
                    guard let activation = plan.activation else { return [slice] }
                    return slice.split(
                        at: activation.start(in: tokens),
                        base: plan.earlier ?? AdapterPlan.base(base.slots))
                })
            var row = 0
            let all = sequences.map { plan, tokens in
                let count = tokens.count - plan.softPromptTokenCount
                defer { row += count }
                return (row..<row + count).flatMap { Array(logits.row($0)) }
            }
            return (Array(all[1..<all.count - 1]), [all[0], all[all.count - 1]])
        }
    }

    @Test(arguments: ["tiny-llama", "tiny-qwen2"])
    func aStepOfManyMethodsGivesEachRowItsOwnAnswer(baseName: String) throws {
        let batch = try Batch(baseName)
        #expect(batch.methods.count >= 12, "\(batch.methods.sorted())")
        let (found, base) = batch.logits()
        let alone = SequenceRunner(
            base: batch.base, plan: .base(batch.base.slots), pool: Self.pool)
        // The base's rows pay nothing for the others, and get the same bits.
        #expect(base.allSatisfy { $0 == alone.logits(batch.cases[0].prompts[0]) })
        for (index, golden) in batch.cases.enumerated() {
            let runner = SequenceRunner(
                base: batch.base, plan: batch.plans[index], pool: Self.pool)
            #expect(found[index] == runner.logits(golden.prompts[0]), "\(golden.id): other bits")
            let width = batch.plans[index].vocabularyCount
            let expected = SequenceRunner.logprobs(
                try golden.logits(prompt: 0), vocabularyCount: width)
            let difference = zip(
                SequenceRunner.logprobs(found[index], vocabularyCount: width), expected
            ).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(difference <= golden.tolerance, "\(golden.id): \(difference)")
        }
    }
}
