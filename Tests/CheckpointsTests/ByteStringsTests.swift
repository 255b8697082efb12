import Checkpoints
import Testing

struct ByteStringsTests {
    @Test func stringsComeBackAsTheyWere() {
        let strings: [[UInt8]] = [[1, 2, 3], [], [0xFF], Array(repeating: 7, count: 300)]
        var compact = ByteStrings()
        compact.reserveCapacity(strings.count)
        for string in strings { compact.append(string) }
        #expect(compact.map(Array.init) == strings)
        compact.shrink()
        #expect(compact.map(Array.init) == strings)
        #expect(compact == ByteStrings(strings))
        #expect(compact[3].count == 300)
        #expect(
            strings.indices.allSatisfy { index in
                compact.withBytes(at: index) { Array($0) == strings[index] }
            })
        #expect(compact != [[1, 2], [3], [0xFF]])
        #expect(ByteStrings().isEmpty)
    }
}
