import Foundation
import StrictJSON
import Testing

/// What the program says of the keys of a base's files, and the page that is written from it.
struct KeyListingEndToEndTests {
    private func tables() throws -> [JSONObject] {
        let report = try GraftProcess.run(["keys", "--json"]).events()[0]
        return (report["tables"]?.arrayValue ?? []).compactMap(\.objectValue)
    }

    @Test func everyKeyIsOnThePage() throws {
        let page = try String(
            contentsOf: URL(fileURLWithPath: Checkout.path("docs/base-files.md")), encoding: .utf8)
        let tables = try tables()
        #expect(tables.count >= 3)
        for table in tables {
            let file = try #require(table["file"]?.stringValue)
            let mark = "keys of \(file), written by tools/keys-table -->"
            let block = try #require(
                page.components(separatedBy: "<!-- " + mark).last?
                    .components(separatedBy: "<!-- end of " + mark).first)
            let keys = (table["keys"]?.arrayValue ?? []).compactMap(\.objectValue)
            #expect(!keys.isEmpty)
            for key in keys {
                let name = try #require(key["name"]?.stringValue)
                #expect(block.contains("`\(name)`"), "\(file): \(name) has no row")
            }
        }
    }

    @Test func keysAreListedForPeople() throws {
        let lines = try GraftProcess.run(["keys"]).lines
        #expect(lines.contains { $0.contains("quantization_config") && $0.contains("refused") })
    }

    @Test func aKeyThatNobodyKnowsIsAWarning() throws {
        let directory = try TemporaryDirectory()
        let variant = try #require(BaseFileCase.all.first { $0.name == "unknown-keys" })
        try variant.write(to: directory.path)
        let finished = try GraftProcess.run(["inspect", "--json", directory.path])
        let warnings = try finished.events()[0]["warnings"]?.arrayValue ?? []
        #expect(warnings.count == 1)
        #expect(warnings.first?.stringValue?.contains("'future_flag'") == true)
    }
}
