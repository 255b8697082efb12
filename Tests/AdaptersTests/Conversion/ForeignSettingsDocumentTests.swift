import Adapters
import Foundation
import Testing

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
}
