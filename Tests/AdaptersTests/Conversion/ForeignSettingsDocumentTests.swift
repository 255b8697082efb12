import Adapters
import Foundation
import StrictJSON
import Testing
import Transformer

/// The document that lists what becomes of each setting.
@Suite struct ForeignSettingsDocumentTests {
    private let path = ReferenceFiles.root + "/docs/foreign-settings.md"

    /// `GRAFT_WRITE_DOCS=1` writes it.
    @Test func theDocumentSaysWhatTheTablesSay() throws {
        if ProcessInfo.processInfo.environment["GRAFT_WRITE_DOCS"] != nil {
            try ForeignSettings.text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let stored = try String(contentsOfFile: path, encoding: .utf8)
        #expect(
            stored == ForeignSettings.text,
            "write it anew: GRAFT_WRITE_DOCS=1 swift test --filter ForeignSettingsDocumentTests")
    }

    /// Those of the library's own files.
    @Test func everySettingThatAdapterHubWritesIsListed() throws {
        let folder = ReferenceFiles.path("adapterhub")
        let cases = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            FileManager.default.fileExists(atPath: "\(folder)/\($0)/adapter_config.json")
        }
        #expect(cases.count > 20)
        for name in cases {
            let whole = try ReferenceFiles.object("adapterhub/\(name)/adapter_config.json")
            let method = whole["config"]?.objectValue ?? [:]
            let parts = method["configs"]?.arrayValue?.compactMap(\.objectValue) ?? []
            for object in [whole, method] + parts {
                for (key, _) in object {
                    #expect(ForeignSettings.text.contains("| `\(key)` |"), "\(name): \(key)")
                }
            }
        }
    }

    /// Read strictly, so that nothing that llama.cpp's converter writes is unknown.
    @Test func everyKeyThatLlamaCppsConverterWritesIsListed() throws {
        let base = try BaseModel.open(
            path: ReferenceFiles.model("tiny-llama"), pool: TinyBase.pool)
        let adapter = try AdapterReader.read(
            name: "a", path: ReferenceFiles.path("conversion/llama-cpp-f32.gguf"),
            slots: base.slots, base: base, options: AdapterOptions(strict: true),
            pool: TinyBase.pool)
        #expect(adapter.warnings == [])
    }
}
