import Adapters
import Testing
import Transformer

/// Configurations as PEFT writes them: no reader may meet a setting that it doesn't know.
struct MethodSettingsTests {
    @Test(arguments: MethodCase.all.filter { !MethodGoldenTests.isRefused($0) })
    func everySettingThatPEFTWritesIsKnown(golden: MethodCase) throws {
        guard AdapterReader.supportedMethods.contains(try golden.peftType()) else { return }
        let base = try GoldenTests.base(golden.base)
        for adapter in golden.adapters {
            let read = try AdapterReader.read(
                name: adapter.name, path: golden.path(adapter.name), slots: base.slots, base: base,
                options: AdapterOptions(strict: true), pool: GoldenTests.pool)
            // What is served of them is no matter of settings.
            let warnings = read.warnings.filter {
                !$0.hasSuffix("task 0 is served") && !$0.hasSuffix("the base's own is used")
            }
            #expect(warnings.isEmpty, "\(golden.id): \(warnings)")
        }
    }
}
