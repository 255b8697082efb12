import Foundation
import StrictJSON
import Testing

/// What the program says of methods and of adapters on a base, and the page that is written from
/// it.
struct MethodListingEndToEndTests {
    private let base = Checkout.model("tiny-llama")

    private func golden(_ name: String) -> String {
        Checkout.path("Tests/Goldens/methods/\(name)")
    }

    private func inspect(_ name: String) throws -> JSONObject {
        let finished = try GraftProcess.run(["inspect", "--base", base, "--json", golden(name)])
        return try #require(try finished.events().first, "\(finished.errors)")
    }

    private func methods() throws -> [String] {
        let report = try GraftProcess.run(["methods", "--json"]).events()[0]
        return (report["methods"]?.arrayValue ?? []).compactMap {
            $0.objectValue?["peft_type"]?.stringValue
        }
    }

    /// The lines of docs/adapters.md between two marks.
    private func block(_ name: String) throws -> [String] {
        let page = try String(
            contentsOf: URL(fileURLWithPath: Checkout.path("docs/adapters.md")), encoding: .utf8)
        let parts = page.components(separatedBy: "<!-- \(name), written by tools/methods-table -->")
        let end = "<!-- end of \(name), written by tools/methods-table -->"
        return try #require(parts.last?.components(separatedBy: end).first)
            .split(separator: "\n").map(String.init)
    }

    @Test func everyMethodIsOnThePage() throws {
        let methods = try methods()
        #expect(methods.count > 40)
        let served = try block("methods")
        for type in methods {
            #expect(served.contains { $0.contains("`\(type)`") }, "\(type) has no row")
        }
    }

    @Test func methodsAreListedForPeople() throws {
        #expect(try GraftProcess.run(["methods"]).lines == methods())
    }

    // Shapes by hand: k 32 × 64, o 64 × 64, down 64 × 128, three layers, rank 4.
    @Test func anAdaptersProductsAreCounted() throws {
        let report = try inspect("lora/plain")
        #expect(report["multiply_adds"]?.intValue == 3 * 4 * (96 + 128 + 192))
        #expect(report["multiply_adds_of_layers"]?.intValue == 3 * (2048 + 4096 + 8192))
        #expect(report["bytes_of_layers"]?.intValue == 4 * 3 * (2048 + 4096 + 8192))
        let operators = (report["operators"]?.arrayValue ?? []).compactMap(\.objectValue)
        #expect(operators.map { $0["module"]?.stringValue } == ["k_proj", "o_proj", "down_proj"])
        for op in operators {
            #expect(op["form"]?.stringValue == "low rank")
            #expect(op["place"]?.stringValue == "beside")
            #expect(op["size"]?.intValue == 4)
            #expect(op["layers"]?.intValue == 3)
        }
        #expect(operators.first?["multiply_adds"]?.intValue == 3 * 4 * 96)
    }

    @Test(arguments: [
        ("lora/plain", true, true, true, true), ("lora/activated", false, true, false, false),
        ("prefix_tuning/plain", false, false, true, true),
        ("ln_tuning/all", true, false, true, false),
    ])
    func whatAnAdapterCombinesWithIsSaid(
        name: String, merges: Bool, anyWeight: Bool, besideOthers: Bool, withItsKind: Bool
    ) throws {
        guard FileManager.default.fileExists(atPath: golden(name)) else {
            Issue.record("no golden \(name)")
            return
        }
        let report = try inspect(name)
        #expect(report["merges"]?.boolValue == merges)
        #expect((report["merge_obstacle"]?.stringValue == nil) == merges)
        #expect(report["any_weight"]?.boolValue == anyWeight)
        #expect(report["beside_others"]?.boolValue == besideOthers)
        #expect(report["adds_up_with_its_kind"]?.boolValue == withItsKind)
    }

    @Test func aListingForPeopleNamesFormsAndShares() throws {
        let text = try GraftProcess.run(["inspect", "--base", base, golden("ia3/classic")]).output
        #expect(text.contains("diagonal, output"))
        #expect(text.contains("diagonal, input"))
        #expect(text.contains("multiply-adds a row ("))
    }

    @Test func mergedWeightsAreComparedWithTheReference() throws {
        let arguments = [
            "verify", "--base", base, "--adapter", golden("lora/dora"), "--against",
            golden("lora/dora/expected.safetensors"), "--json",
        ]
        let reports = try [arguments, arguments + ["--merged"]].map {
            try #require(try GraftProcess.run($0).events().first)
        }
        let differences = reports.map { $0["largest_difference"]?.doubleValue ?? 1 }
        #expect(differences.allSatisfy { $0 < 1e-3 })
        // Merged weights round otherwise than products beside them.
        #expect(differences[0] != differences[1])
    }

    @Test func whatCannotBeMergedIsRefused() throws {
        let finished = try GraftProcess.run([
            "verify", "--base", base, "--adapter", golden("lora/activated"), "--against",
            golden("lora/activated/expected.safetensors"), "--merged",
        ])
        #expect(finished.status == 1)
        #expect(finished.errors.contains("acts from its invocation tokens on only"))
    }

    @Test func theBaseTakesTurnsWithAdapters() throws {
        let report = try GraftProcess.run([
            "bench", "--json", "--base", base, "--adapter", golden("prompt_tuning/random"),
            "--prompt", "4", "--generate", "4", "--repeat", "2", "--beside-base",
        ]).events()[0]
        for key in ["decode_of_base", "base_decode_tokens_per_second", "adapter_load_seconds"] {
            #expect((report[key]?.doubleValue ?? 0) > 0, "\(key)")
        }
        #expect(report["adapter_bytes"]?.intValue ?? 0 > 0)
    }

    @Test(arguments: [
        (["bench", "--beside-base"], "give --adapter"),
        (["verify", "--adapter", "a", "--merged"], "--merged needs --against"),
    ])
    func optionsThatNeedOthersSaySo(arguments: [String], named: String) throws {
        let finished = try GraftProcess.run(arguments + ["--base", base])
        #expect(finished.status == 64)
        #expect(finished.errors.contains(named))
    }
}
