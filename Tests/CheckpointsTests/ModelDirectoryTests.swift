import Checkpoints
import StrictJSON
import Testing

@Suite struct ModelDirectoryTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func floats(_ name: String, _ value: Float) -> [UInt8] {
        SafetensorsFixture.floats([(name, [1], [value])])
    }

    private func writeShards() throws {
        try directory.write(floats("a", 1), "model-00001-of-00002.safetensors")
        try directory.write(floats("b", 2), "model-00002-of-00002.safetensors")
        try directory.write(
            #"{"weight_map":{"a":"model-00001-of-00002.safetensors","#
                + #""b":"model-00002-of-00002.safetensors"}}"#, "model.safetensors.index.json")
    }

    @Test func theSingleFileCountsWhereThereIsAnIndexToo() throws {
        try directory.write("{}", "config.json")
        try writeShards()
        #expect(try BaseCheckpoint.open(path: directory.path).tensors.tensorNames == ["a", "b"])
        try directory.write(floats("c", 3), "model.safetensors")
        let base = try BaseCheckpoint.open(path: directory.path)
        #expect(base.tensors.tensorNames == ["c"])
        #expect(
            base.warnings == [
                "\(directory.path): model.safetensors is read, as by transformers, and "
                    + "model.safetensors.index.json with its shards is not"
            ])
    }

    @Test func oneShardIsNoBase() throws {
        try directory.write("{}", "config.json")
        try writeShards()
        let shard = directory.place("model-00001-of-00002.safetensors")
        expectFailure(
            "PATH: this is one shard of a checkpoint: give its directory, \(directory.path), as the "
                + "base", in: shard
        ) { _ = try BaseCheckpoint.open(path: shard) }
    }

    @Test func whatADirectoryHoldsInsteadIsNamed() throws {
        try directory.write("{}", "adapter_config.json")
        expectFailure(
            "PATH has no config.json; it holds an adapter, which is no base: give it with --adapter",
            in: directory.path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
        try directory.write("{}", "config.json")
        try directory.write(floats("a", 1), "consolidated.safetensors")
        expectFailure(
            "PATH has no model.safetensors; nor model.safetensors.index.json: where all weights are in "
                + "consolidated.safetensors, give that file as the base", in: directory.path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
    }

    @Test func unknownKeysOfGenerationAreNamed() throws {
        try directory.write("{}", "config.json")
        try directory.write(floats("a", 1), "model.safetensors")
        try directory.write(#"{"temperature":0.5,"odd":1}"#, "generation_config.json")
        let base = try BaseCheckpoint.open(path: directory.path)
        #expect(base.warnings.count == 1 && base.warnings[0].contains("'odd' is a key"))
    }

    @Test func bareDecodersGetTheirPrefix() throws {
        try directory.write("{}", "config.json")
        let names = [
            "embed_tokens.weight", "layers.0.mlp.up_proj.weight", "norm.weight",
            "model.lm_head.weight", "model.model.norm.bias", "other",
        ]
        let tensors = names.enumerated().map { (name: $1, shape: [1], values: [Float($0)]) }
        try directory.write(SafetensorsFixture.floats(tensors), "model.safetensors")
        let base = try BaseCheckpoint.open(path: directory.path)
        let expected = [
            "model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight",
            "lm_head.weight", "model.norm.bias", "other",
        ]
        #expect(base.tensors.tensorNames == expected)
        for (index, name) in expected.enumerated() {
            let tensor = try base.tensors.requiredTensor(name)
            #expect(try tensor.floats() == [Float(index)] && tensor.name == name)
        }
        #expect(base.tensors.tensor("norm.weight") == nil)
    }

    @Test func aTensorUnderBothNamesIsRefused() throws {
        try directory.write("{}", "config.json")
        try directory.write(
            SafetensorsFixture.floats([("model.norm.weight", [1], [1]), ("norm.weight", [1], [2])]),
            "model.safetensors")
        let path = directory.place("model.safetensors")
        expectFailure(
            "PATH: tensor 'norm.weight': stored a second time, as 'model.norm.weight'", in: path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
    }

    @Test func filesBesideTheWeightsHaveALimit() throws {
        try directory.write(floats("a", 1), "model.safetensors")
        let limit = CheckpointLimits.configurationByteCount
        for (count, isRead) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            let text = [UInt8]("{}".utf8) + [UInt8](repeating: 0x20, count: count - 2)
            try directory.write(text, "config.json")
            if isRead {
                #expect(try BaseCheckpoint.open(path: directory.path).configuration.isEmpty)
            } else {
                expectFailure(
                    "PATH: it has \(count) bytes, the limit is \(limit)",
                    in: directory.place("config.json")
                ) { _ = try BaseCheckpoint.open(path: directory.path) }
            }
        }
    }
}
