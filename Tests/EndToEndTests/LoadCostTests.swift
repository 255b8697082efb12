import Adapters
import Foundation
import Testing
import Transformer

/// What adapters are thought to take before they are read is an upper bound of what they take.
struct LoadCostTests {
    @Test(arguments: MethodCase.all)
    func operatorsTakeNoMoreThanTheHeaderSays(_ method: MethodCase) throws {
        for (adapter, path) in zip(
            try method.loadedAdapters().map(\.adapter), method.adapters.map { method.path($0.name) })
        {
            let registry = AdapterRegistry(base: try method.loadedBase())
            let counts = try registry.memoryByteCounts(of: path)
            #expect(adapter.byteCount <= counts.resident)
            // Small matrices are in panels of 16 rows; otherwise it isn't far from it.
            #expect(counts.resident <= 12 * adapter.byteCount + 400_000)
        }
    }
}
