import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing

/// What a file becomes does not depend on the processor: the tools write the same values whatever
/// kernels OpenBLAS and the program itself use, up to rounding.
///
/// Kernels that this processor lacks can't run, so on an old one there is less to compare.
struct ProcessorIndependenceTests {
    /// A command that writes something, and where its written tensors are.
    struct Tool: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Without `--out`.
        let arguments: [String]
        /// Largest difference, of the largest value of the tensor.
        var tolerance: Float = 1e-5
    }

    private static let base = Checkout.model("tiny-llama")

    private static func adapter(_ name: String) -> String { "\(name)=" + Checkout.adapter(name) }

    private static func combining(_ method: String, _ more: [String] = []) -> Tool {
        Tool(
            testDescription: "combine \(method)",
            arguments: [
                "combine", "--adapter", adapter("law"), "--adapter", adapter("medicine"),
                "--weight", "law=0.7", "--weight", "medicine=-0.4", "--method", method,
            ] + more)
    }

    /// Merging computes what an adapter's method makes of the base.
    private static func merging(_ golden: String, base: String = "tiny-llama") -> Tool {
        Tool(
            testDescription: "merge \(golden)",
            arguments: [
                "merge", "--base", Checkout.model(base), "--adapter",
                "a=" + Checkout.path("Tests/Goldens/methods/\(golden)"), "--dtype", "f32",
            ],
            // Where singular values nearly agree, vectors turn within their plane.
            tolerance: 1e-4)
    }

    static let tools =
        [
            combining("cat"), combining("svd", ["--rank", "6"]),
            combining("ties_svd", ["--density", "0.6", "--rank", "6"]),
            Tool(
                testDescription: "extract",
                arguments: [
                    "extract", "--base", base, "--tuned", "", "--rank", "5",
                ]),
        ]
        + [
            "lora/pissa", "lora/olora", "lora/pissa-dora", "lora/dora", "lora/kasa", "osf/llama",
            "psoft/llama", "psoft/pissa-scaled", "frod/saved", "adamss/llama",
        ].map { merging($0) }

    /// Core types of OpenBLAS whose kernels this processor can run.
    static let cores: [String] = {
        let sets = InstructionSet.runnable
        var cores: [String] = []
        #if arch(x86_64)
            cores.append("Prescott")
            if sets.contains(.avx2) { cores += ["Haswell", "Zen"] }
            if sets.contains(.avx512) { cores.append("SkylakeX") }
        #endif
        return cores
    }()

    /// The written tensors; of a LoRA's two factors their product, since an SVD leaves a sign open.
    private func values(
        _ tool: Tool, _ environment: [String: String]
    ) throws -> [String: [Float]] {
        let folder = try TemporaryDirectory()
        var arguments = tool.arguments
        if tool.testDescription == "extract" {
            let tuned = folder.file("tuned")
            let merge = try GraftProcess.run([
                "merge", "--base", Self.base, "--adapter", Self.adapter("law"), "--out", tuned,
            ])
            try #require(merge.status == 0, "\(merge.errors)")
            arguments[4] = tuned
        }
        let out = folder.file("out")
        let run = try GraftProcess.run(arguments + ["--out", out], environment: environment)
        try #require(run.status == 0, "\(run.errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: out)
        var values: [String: [Float]] = [:]
        var ranks: [String: Int] = [:]
        for name in names where name.hasSuffix(".safetensors") {
            let file = try SafetensorsFile(path: out + "/" + name)
            for tensor in file.tensorNames {
                values[tensor] = try file.requiredTensor(tensor).floats()
                ranks[tensor] = try file.requiredTensor(tensor).shape.first
            }
        }
        for (name, a) in values where name.hasSuffix(".lora_A.weight") {
            let module = String(name.dropLast(".lora_A.weight".count))
            guard let b = values[module + ".lora_B.weight"], let rank = ranks[name] else {
                continue
            }
            let columnCount = a.count / rank
            let rowCount = b.count / rank
            var product = [Float](repeating: 0, count: rowCount * columnCount)
            BLAS.multiplyAdd(
                left: b, right: a, into: &product, rowCount: rowCount, columnCount: columnCount,
                innerCount: rank, scaling: 1)
            values[name] = nil
            values[module + ".lora_B.weight"] = nil
            values[module] = product
        }
        return values
    }

    private func expectEqual(
        _ found: [String: [Float]], _ expected: [String: [Float]], within tolerance: Float,
        _ what: String
    ) throws {
        try #require(Set(found.keys) == Set(expected.keys) && !found.isEmpty)
        for (name, values) in expected {
            let other = try #require(found[name])
            try #require(other.count == values.count)
            let largest = values.reduce(0) { max($0, abs($1)) }
            let difference = zip(values, other).reduce(Float(0)) {
                $1.0.isFinite && $1.1.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
            }
            #expect(difference <= tolerance * largest, "\(what), \(name)")
        }
    }

    @Test(arguments: tools)
    func filesAreTheSameWithEveryKernelOfOpenBLAS(tool: Tool) throws {
        let expected = try values(tool, ["OPENBLAS_CORETYPE": ""])
        for core in Self.cores {
            try expectEqual(
                values(tool, ["OPENBLAS_CORETYPE": core]), expected, within: tool.tolerance, core)
        }
    }

    @Test(arguments: tools)
    func filesAreTheSameWithEveryInstructionSet(tool: Tool) throws {
        let expected = try values(tool, ["GRAFT_CPU": InstructionSet.strongest.rawValue])
        for set in InstructionSet.runnable {
            let found = try values(tool, ["GRAFT_CPU": set.rawValue])
            try expectEqual(found, expected, within: tool.tolerance, set.rawValue)
        }
    }

    /// The library is told before it chooses; what the environment says comes first.
    @Test func theCoreTypeIsTheSameOnProcessorsOfAKind() throws {
        for core in [""] + Self.cores {
            let run = try GraftProcess.run(
                ["doctor", "--json"], environment: ["OPENBLAS_CORETYPE": core])
            #expect(run.status == 0, "\(run.errors)")
            let used = try #require(run.events().first?["openblas_core"]?.stringValue)
            if !core.isEmpty {
                #expect(used.lowercased() == core.lowercased())
            } else if let preferred = BLAS.preferredCoreName {
                #expect(used == preferred)
            }
        }
    }
}
