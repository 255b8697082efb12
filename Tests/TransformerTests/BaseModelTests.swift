import Kernels
import StrictJSON
import Testing
import Transformer

struct BaseModelTests {
    private func values(_ matrix: PackedMatrix) -> [Float] {
        var values = [Float](repeating: 0, count: matrix.outputCount * matrix.inputCount)
        values.withUnsafeMutableBufferPointer { matrix.unpack(into: $0.baseAddress!, pool: nil) }
        return values
    }

    @Test func slotsAreNamedAsCheckpointsSpellThem() throws {
        let slots = try TinyBase().open().slots
        #expect(slots.slot(named: "lm_head") == .linear(.head))
        #expect(slots.slot(named: "model.embed_tokens") == .embedding)
        #expect(
            slots.slot(named: "model.layers.2.self_attn.o_proj")
                == .linear(.layer(2, .attentionOutput)))
        #expect(slots.slot(named: "model.layers.3.self_attn.o_proj") == nil)
        #expect(
            slots.shape(of: .layer(0, .key)) == LinearShape(outputCount: 32, inputCount: 64))
        for slot in slots.all { #expect(slots.slot(named: slots.name(of: slot)) == slot) }
    }

    @Test func aTiedHeadIsTheEmbedding() throws {
        let base = try TinyBase().open()
        #expect(base.matrix(at: .head) === base.weights.embedding)
    }

    @Test func aSlidingWindowBoundsTheContext() throws {
        let base = try TinyBase(settings: [
            "model_type": .string("mistral"), "sliding_window": .integer(100),
        ]).open()
        #expect(base.configuration.maximumPositionCount == 100)
    }

    @Test(arguments: [(WeightType.q8_0, Float(127)), (.q4_0, 7)])
    func quantisingStaysWithinHalfAStep(type: WeightType, levels: Float) throws {
        let tiny = try TinyBase()
        let exact = try tiny.open().matrix(at: .layer(0, .gate))
        let rounded = try tiny.open(quantizingTo: type).matrix(at: .layer(0, .gate))
        #expect(rounded.type == type)
        let pairs = Array(zip(values(exact), values(rounded)))
        for start in stride(from: 0, to: pairs.count, by: 32) {
            let block = pairs[start..<start + 32]
            let largest = block.reduce(Float(0)) { max($0, abs($1.0)) }
            for (value, found) in block { #expect(abs(value - found) <= largest / levels * 1.02) }
        }
    }

    @Test func packingAndMappingKeepsEveryBit() throws {
        let tiny = try TinyBase()
        let base = try tiny.open()
        let file = tiny.path + "/model.bin"
        try base.writePacked(to: file)
        let mapped = try BaseModel.open(path: file, pool: TinyBase.pool)
        #expect(mapped.configuration == base.configuration)
        #expect(mapped.weights.gains == base.weights.gains)
        for slot in base.slots.linearSlots {
            #expect(base.matrix(at: slot).bytes.elementsEqual(mapped.matrix(at: slot).bytes))
        }
    }
}
