import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// A `model.bin` that another process changes, and one that somebody crafted.
struct PackedFileTests {
    private func bits(_ base: BaseModel) -> [[UInt8]] {
        base.slots.linearSlots.map { [UInt8](base.matrix(at: $0).bytes) }
            + [[UInt8](base.weights.embedding.bytes)]
    }

    @Test func whatIsServedStaysWhateverHappensToTheFile() throws {
        let tiny = try TinyBase()
        let path = tiny.path + "/model.bin"
        try tiny.open().writePacked(to: path)
        let served = try BaseModel.open(path: path, pool: TinyBase.pool)
        let before = bits(served)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        let byteCount = try handle.seekToEnd()
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: Data(repeating: 0xAB, count: Int(byteCount)))
        #expect(bits(served) == before)
        try handle.truncate(atOffset: 10)
        try handle.close()
        #expect(bits(served) == before)
    }

    @Test(arguments: ["model.safetensors", "model.bin"])
    func aFileThatIsCutShortWhileItIsReadIsRefused(name: String) throws {
        let tiny = try TinyBase()
        let path = tiny.path + "/" + name
        if name == "model.bin" { try tiny.open().writePacked(to: path) }
        let checkpoint = try BaseCheckpoint.open(path: name == "model.bin" ? path : tiny.path)
        truncate(path, 4096)
        let error = #expect(throws: TransformerError.self) {
            _ = try BaseModel(checkpoint: checkpoint, pool: TinyBase.pool)
        }
        #expect(
            error?.description == "\(path): the file was changed while it was read; try again")
    }

    /// A `model.bin` of zeros whose layout says `type` for every matrix.
    private func crafted(
        _ changes: JSONObject, type: WeightType, in directory: String
    ) throws -> String {
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: TinyBase.original + "/config.json")))
        var config = try JSONValue(parsing: text).objectValue ?? [:]
        for (key, value) in changes { config[key] = value }
        let slots = SlotTable(try DecoderSpec(config, file: "x"))
        var shapes: [(name: String, type: WeightType, shape: [Int])] = []
        for slot in slots.all {
            let name = slots.name(of: slot) + ".weight"
            switch slot {
            case .norm: shapes.append((name, .f32, [slots.hiddenSize]))
            case .embedding:
                shapes.append((name, type, [slots.vocabularyCount, slots.hiddenSize]))
            case .linear(.head): break
            case .linear(let linear):
                let shape = slots.shape(of: linear)
                shapes.append((name, type, [shape.outputCount, shape.inputCount]))
            }
        }
        var layout = JSONObject()
        for (name, type, shape) in shapes {
            layout[name] = .object([
                "type": .string(type.rawValue),
                "shape": .array(shape.map { .integer(Int64($0)) }),
            ])
        }
        let tensors = shapes.map { name, type, shape in
            let count =
                shape.count == 1
                ? shape[0] * 4
                : PackedMatrix.packedByteCount(
                    type: type, outputCount: shape[0], inputCount: shape[1])
            return SafetensorsWriter.Tensor(
                name: name, elementType: .u8, shape: [max(64, (count + 63) / 64 * 64)])
        }
        let path = directory + "/crafted.bin"
        let writer = SafetensorsWriter(
            tensors: tensors,
            metadata: [
                PackedFormat.formatKey: PackedFormat.modelFormat,
                PackedFormat.versionKey: PackedFormat.version,
                PackedFormat.configurationKey: JSONValue.object(config).serialized(),
                PackedFormat.layoutKey: JSONValue.object(layout).serialized(),
            ])
        try writer.write(to: path) { (tensor, sink) throws(CheckpointError) in
            try sink.writeZeros(count: tensor.byteCount)
        }
        return path
    }

    @Test(arguments: [(16, WeightType.q8_0), (48, .q8_0), (48, .q4_1), (64, .q8_0)])
    func rowsMustBeWholeBlocks(hiddenSize: Int, type: WeightType) throws {
        let tiny = try TinyBase()
        let path = try crafted(
            [
                "hidden_size": .integer(Int64(hiddenSize)),
                "head_dim": .integer(Int64(hiddenSize / 4)),
                "intermediate_size": .integer(Int64(hiddenSize)),
            ], type: type, in: tiny.path)
        if hiddenSize == 64 {
            #expect(try BaseModel.open(path: path, pool: TinyBase.pool).weightType == type)
            return
        }
        let error = #expect(throws: TransformerError.self) {
            _ = try BaseModel.open(path: path, pool: TinyBase.pool)
        }
        #expect(
            error?.description.contains(
                "has rows of \(hiddenSize), which aren't whole blocks of \(type.rawValue)") == true,
            "\(error as Any)")
    }

    @Test func weightsThatDontFitAreRefusedBeforeTheyAreRead() throws {
        try WeightMemory.check(needed: 9, available: 10, file: "f")
        try WeightMemory.check(needed: 10, available: 10, file: "f")
        try WeightMemory.check(needed: 11, available: nil, file: "f")
        let error = #expect(throws: TransformerError.self) {
            try WeightMemory.check(needed: 11, available: 10, file: "f")
        }
        #expect(
            error?.description
                == "f: the weights take 11 bytes of memory, and this machine has 10: take a smaller "
                + "model, or one in smaller types")
        #expect((WeightMemory.machine ?? 0) > 1 << 28)
    }

    @Test(arguments: ConfigurationKeys.tables)
    func everyKeyIsListedOnceWithAReason(table: KeyTable) {
        #expect(Set(table.keys.map(\.name)).count == table.keys.count)
        #expect(table.keys.allSatisfy { !$0.note.isEmpty })
    }
}
