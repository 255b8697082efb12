import Engine
import Testing

@Suite struct RandomSourceTests {
    @Test func numbersEqualTheReferenceForSeedZero() {
        var random = RandomSource(seed: 0)
        #expect(random.next() == 0xE220_A839_7B1D_CDAF)
        #expect(random.next() == 0x6E78_9E6A_A1B9_65F4)
        #expect(random.next() == 0x06C4_5D18_8009_454F)
    }

    @Test func unitNumbersStayBelowOne() {
        var random = RandomSource(seed: .max)
        for _ in 0..<1000 {
            let unit = random.nextUnit()
            #expect(unit >= 0 && unit < 1)
        }
    }
}
