import LlamaSlots
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

    @Test(arguments: [(Quantization.q8, Float(254)), (.q4, 15)])
    func quantisingStaysWithinAStep(quantization: Quantization, levels: Float) throws {
        let tiny = try TinyBase()
        let exact = try tiny.open().matrix(at: .layer(0, .gate))
        let base = try tiny.open(quantization: quantization)
        let rounded = base.matrix(at: .layer(0, .gate))
        #expect(rounded.type == (quantization == .q8 ? .q8_0 : .q4_1))
        #expect(base.weights.embedding.type == .q8_0)
        let pairs = Array(zip(values(exact), values(rounded)))
        for start in stride(from: 0, to: pairs.count, by: 32) {
            let block = pairs[start..<start + 32]
            let lowest = block.map(\.0).min()!
            let highest = block.map(\.0).max()!
            let range = quantization == .q8 ? 2 * max(highest, -lowest) : highest - lowest
            for (value, found) in block { #expect(abs(value - found) <= range / levels) }
        }
    }

    @Test func fourBitsFindTheGridThatWeightsLieOn() throws {
        // Sixteen levels or fewer with one distance, as a block of Q4_1 holds them, come back as
        // they are (within f16's rounding of scale and minimum).
        for levelCount in 9...16 {
            let tiny = try TinyBase { tensors in
                for index in tensors.indices where tensors[index].name.contains("gate_proj") {
                    let count = tensors[index].bytes.count / 4
                    let values = (0..<count).map {
                        Float(($0 * 7 + $0 / 32) % levelCount) * 0.03125 - 0.25
                    }
                    tensors[index].bytes = values.withUnsafeBytes { [UInt8]($0) }
                }
            }
            let exact = values(try tiny.open().matrix(at: .layer(0, .gate)))
            let found = values(try tiny.open(quantization: .q4).matrix(at: .layer(0, .gate)))
            #expect(zip(exact, found).allSatisfy { abs($0 - $1) < 2e-3 }, "\(levelCount) levels")
        }
    }

    @Test func aPackedFileCanBeQuantised() throws {
        let tiny = try TinyBase()
        let file = tiny.path + "/model.bin"
        try tiny.open().writePacked(to: file)
        let mapped = try BaseModel.open(path: file, pool: TinyBase.pool, quantization: .q8)
        let direct = try tiny.open(quantization: .q8)
        for slot in direct.slots.linearSlots {
            #expect(
                direct.matrix(at: slot).bytes.elementsEqual(mapped.matrix(at: slot).bytes))
        }
    }

    @Test func packingAndReadingKeepsEveryBit() throws {
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
