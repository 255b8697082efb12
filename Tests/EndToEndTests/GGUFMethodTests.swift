import Adapters
import Kernels
import Testing
import Transformer

/// Every method on a GGUF base, whose rows of queries and keys lie in another order: as PEFT on the
/// checkpoint that the file was made of.
struct GGUFMethodTests {
    private static let cases = MethodCase.all.filter {
        $0.base == "tiny-llama" && !MethodGoldenTests.isRefused($0)
    }

    @Test func mostMethodsAreAmongTheCases() {
        #expect(Self.cases.count >= 80)
    }

    @Test(arguments: cases)
    func anAdapterAnswersAsOnTheCheckpoint(golden: MethodCase) throws {
        let base = try GoldenTests.base("gguf/tiny-llama-F32.gguf")
        let parts = try golden.adapters.map { part in
            let adapter = try AdapterReader.read(
                name: part.name, path: golden.path(part.name), slots: base.slots, base: base,
                pool: GoldenTests.pool)
            return SelectedOperators(
                name: part.name, operators: adapter.operators, weight: part.weight)
        }
        let runner = SequenceRunner(
            base: base, plan: try AdapterPlan(parts, slots: base.slots), pool: GoldenTests.pool)
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.logits(prompt: index))
            #expect(difference <= golden.tolerance, "prompt \(index): \(difference)")
        }
    }
}
