import Adapters
import Checkpoints
import Kernels
import Testing
import Transformer

/// Where the signs of singular vectors can't be had, which PSOFT's files lack.
@Suite struct PSOFTTests {
    private let reading: AdapterReading
    private let place =
        "adapter/adapter_config.json: 'target_modules' names '\(AdapterFixture.query)': "

    init() throws { reading = try AdapterReading() }

    private func failure(_ base: BaseModel) throws -> String {
        let path = try ProductFixture.psoft.fixture.write(to: reading.directory)
        return reading.failure {
            _ = try AdapterReader.read(
                name: "test", path: path, slots: base.slots, base: base, pool: TinyBase.pool)
        }
    }

    @Test func aSignThatHangsOnRoundingIsRefused() throws {
        let path = reading.directory.path + "/base"
        let stored = try StoredTensors(path: path + "/model.safetensors")
        let tensors = stored.names.map { name in
            var tensor = FloatTensor(name, stored.shapes[name] ?? [])
            tensor.values = stored.values[name] ?? []
            if name == AdapterFixture.query + ".weight" {
                // All singular values are nearly one.
                for index in tensor.values.indices {
                    let (row, column) = index.quotientAndRemainder(dividingBy: 16)
                    tensor.values[index] =
                        row == column ? 3 : row == column + 1 ? 1e-8 * Float(row) : 0
                }
            }
            return tensor
        }
        try FloatTensor.write(tensors, to: path + "/model.safetensors")
        let message = try failure(try BaseModel.open(path: path, pool: TinyBase.pool))
        #expect(message.hasPrefix(place + "the sign of its singular vector "), "\(message)")
        #expect(
            message.hasSuffix(
                ", which the file lacks, hangs on rounding errors of the library that computes it; "
                    + "merge it with PEFT where it was trained"))
    }

    @Test func aQuantisedBaseHasNone() throws {
        let base = try BaseModel.open(
            path: ReferenceFiles.model("tiny-llama"), pool: TinyBase.pool, quantization: .q8)
        #expect(
            try failure(base) == place
                + "the signs of its singular vectors, which the file lacks, can't be had from a "
                + "quantised base; merge it with PEFT where it was trained")
    }
}
