import Checkpoints
import Testing

@Suite struct HalfPrecisionTests {
    @Test func everyF16SurvivesWidening() {
        for bits in 0...UInt16.max {
            let value = HalfPrecision.float(fromF16: bits)
            if value.isNaN {
                #expect(bits & 0x7C00 == 0x7C00 && bits & 0x3FF != 0)
                #expect(HalfPrecision.float(fromF16: HalfPrecision.f16(value)).isNaN)
            } else if HalfPrecision.f16(value) != bits {
                Issue.record("f16 pattern \(bits)")
            }
        }
    }

    @Test func everyBF16SurvivesWidening() {
        for bits in 0...UInt16.max {
            let value = HalfPrecision.float(fromBF16: bits)
            if value.isNaN {
                #expect(HalfPrecision.float(fromBF16: HalfPrecision.bf16(value)).isNaN)
            } else if HalfPrecision.bf16(value) != bits {
                Issue.record("bf16 pattern \(bits)")
            }
        }
    }

    @Test(
        arguments: [
            (1, 0x3C00), (-2, 0xC000), (65504, 0x7BFF), (65519.9, 0x7BFF), (65520, 0x7C00),
            (0x1p-24, 0x0001), (0x1p-25, 0x0000), (0x1.8p-25, 0x0001), (0x1.8p-24, 0x0002),
            (0x1p-14, 0x0400), (0x1.ff8p-15, 0x03FF), (0x1.ffcp-15, 0x0400), (2049, 0x6800),
            (2051, 0x6802), (-0.0, 0x8000),
            (Float.infinity, 0x7C00), (1e-30, 0),
        ] as [(Float, UInt16)])
    func f16RoundsToNearestEven(value: Float, bits: UInt16) {
        #expect(HalfPrecision.f16(value) == bits)
    }

    @Test(
        arguments: [
            (1, 0x3F80), (0x1.01p0, 0x3F80), (0x1.03p0, 0x3F82), (0x1.0101p0, 0x3F81),
            (Float.infinity, 0x7F80), (Float.greatestFiniteMagnitude, 0x7F80), (-0.0, 0x8000),
        ] as [(Float, UInt16)])
    func bf16RoundsToNearestEven(value: Float, bits: UInt16) {
        #expect(HalfPrecision.bf16(value) == bits)
    }

    @Test func overflowIsForeseen() {
        for value: Float in [65519.9, 65520, -65520, 1e30, 3.38e38, 3.4e38, -3.4e38, .infinity, 0] {
            let half = HalfPrecision.float(fromF16: HalfPrecision.f16(value))
            #expect(HalfPrecision.overflowsF16(value) == (value.isFinite && !half.isFinite))
            let brain = HalfPrecision.float(fromBF16: HalfPrecision.bf16(value))
            #expect(HalfPrecision.overflowsBF16(value) == (value.isFinite && !brain.isFinite))
        }
    }
}
