import Adapters
import Checkpoints
import Kernels
import StrictJSON
import Testing
import Transformer

/// Every method merged to disk: what is opened again against PEFT, or a refusal that says why.
struct MethodMergeTests {
    private static let pool = GoldenTests.pool

    /// Why a case's adapter is no change of weights, in a word of the reason.
    private static let beyondWeights: [String: String] = [
        "adaption_prompt": "behind a gate",
        "cartridge": "keys and values in front of every sequence",
        "cpt": "a prompt of trained tokens",
        "multitask_prompt_tuning": "a prompt of trained tokens",
        "p_tuning": "a prompt of trained tokens",
        "prefix_tuning": "keys and values in front of every sequence",
        "prompt_tuning": "a prompt of trained tokens",
        "lora/activated": "invocation tokens",
        "lora/activated-qwen": "invocation tokens",
        "beft/without-bias": "this architecture has none there",
        "beft/qwen": "this architecture has none there",
        "arrow": "depends on the token",
        "lily": "depends on the token",
        "shadow": "depends on the token",
        "xlora": "depends on the token",
        "lora/replicated": "repeats layers",
        "lora/replicated-qwen": "repeats layers",
        "adapterhub/prefix": "keys and values in front of every sequence",
        "adapterhub/prefix-flat": "keys and values in front of every sequence",
        "adapterhub/prefix-with-head": "keys and values in front of every sequence",
        "ptuning_v2": "keys and values in front of every sequence",
    ]

    private static let bottlenecks = Set(
        MethodCase.all.map(\.id).filter {
            $0.hasPrefix("adapterhub/") && !changesWeights.contains($0)
        })

    private static let changesWeights: Set<String> = ["adapterhub/lora", "adapterhub/infused"]

    private static func reason(_ golden: MethodCase) -> String? {
        let name = golden.id.trimmingPrefix("methods/").trimmingPrefix("formats/")
        return beyondWeights[String(name)]
            ?? beyondWeights[String(name.prefix { $0 != "/" })]
            ?? (bottlenecks.contains(golden.id) ? "is a bottleneck" : nil)
    }

    private func writer(
        _ golden: MethodCase, _ type: WeightType? = nil
    ) throws -> MergeWriter {
        try MergeWriter(
            base: try GoldenTests.base(golden.base),
            checkpoint: try BaseCheckpoint.open(path: Checkout.model(golden.base)),
            adapters: try golden.loadedAdapters(), options: MergeOptions(weightType: type),
            pool: Self.pool)
    }

    private func expectAgreement(
        _ golden: MethodCase, _ path: String, tolerance: Float
    ) throws {
        let merged = try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
        let runner = SequenceRunner(base: merged, plan: .base(merged.slots), pool: Self.pool)
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.logits(prompt: index))
            #expect(difference <= tolerance, "\(golden.id), prompt \(index): \(difference)")
        }
    }

    @Test(arguments: MethodCase.all)
    func aMergedCheckpointAgreesWithPEFT(golden: MethodCase) throws {
        guard try MethodGoldenTests().isServed(golden) else { return }
        if let reason = Self.reason(golden) {
            #expect(!golden.merges)
            let error = #expect(throws: AdapterError.self) { try writer(golden) }
            #expect(error?.description.contains(reason) == true, "\(error as Any)")
            return
        }
        let directory = try TemporaryDirectory()
        _ = try writer(golden, .f32).write(to: directory.file("wide"))
        try expectAgreement(golden, directory.file("wide"), tolerance: golden.tolerance)
        // Of a narrow type, each weight of the result is rounded.
        guard try GoldenTests.base(golden.base).weightType != .f32 else { return }
        _ = try writer(golden).write(to: directory.file("own"))
        try expectAgreement(golden, directory.file("own"), tolerance: max(1, golden.tolerance))
    }

    @Test(arguments: MethodCase.all.filter { reason($0) == nil })
    func aMergedFileIsTheSame(golden: MethodCase) throws {
        guard try MethodGoldenTests().isServed(golden) else { return }
        let directory = try TemporaryDirectory()
        _ = try writer(golden, .f32).write(to: directory.file("merged.bin"))
        try expectAgreement(golden, directory.file("merged.bin"), tolerance: golden.tolerance)
    }
}
