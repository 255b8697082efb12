import Adapters
import Foundation
import Testing
import Transformer

/// What adapters are thought to take before they are read is an upper bound of what they take.
struct LoadCostTests {
    @Test(arguments: MethodCase.all)
    func operatorsTakeNoMoreThanTheHeaderSays(_ method: MethodCase) throws {
        // What is refused for other reasons takes nothing.
        guard let adapters = try? method.loadedAdapters().map(\.adapter) else { return }
        let registry = AdapterRegistry(base: try method.loadedBase())
        for (adapter, named) in zip(adapters, method.adapters) {
            let counts = try registry.memoryByteCounts(of: method.path(named.name))
            #expect(adapter.byteCount <= counts.resident)
            // Tables of the base and small matrices in panels of 16 rows count for more than they
            // are.
            #expect(counts.resident <= 20 * adapter.byteCount + 1_000_000)
        }
    }
}
