import Checkpoints
import Testing

@Suite struct ShardedSafetensorsTests {
    private let directory: TemporaryDirectory
    private var indexPath: String { directory.place("model.safetensors.index.json") }

    init() throws {
        directory = try TemporaryDirectory()
        try directory.write(SafetensorsFixture.floats([("a", [1], [1]), ("b", [1], [2])]), "s1")
        try directory.write(SafetensorsFixture.floats([("c", [1], [3])]), "s2")
    }

    @Test func shardsAreOneSource() throws {
        try index(#"{"a":"s1","b":"s1","c":"s2"}"#, total: 12)
        let source = try ShardedSafetensors(indexPath: indexPath)
        #expect(source.tensorNames == ["a", "b", "c"])
        #expect(try source.requiredTensor("c").floats() == [3])
        #expect(source.tensor("d") == nil)
        #expect(source.path == directory.path)
    }

    @Test func aPlaceWithoutTensorIsNamed() throws {
        try index(#"{"a":"s1","b":"s1","c":"s2","d":"s2"}"#, total: 12)
        expect("PATH/s2 has no tensor 'd'")
    }

    @Test func aTensorWithoutPlaceIsNamed() throws {
        try index(#"{"a":"s1","c":"s2"}"#, total: 12)
        expect("PATH/s1: tensor 'b': the index doesn't place it in this shard")
    }

    @Test func aTensorInTwoShardsIsRefused() throws {
        try directory.write(SafetensorsFixture.floats([("c", [1], [3]), ("a", [1], [3])]), "s2")
        try index(#"{"a":"s1","b":"s1","c":"s2"}"#, total: 12)
        expect("PATH/s2: tensor 'a': stored twice, in s1 too")
    }

    @Test func aMissingShardIsNamed() throws {
        try index(#"{"a":"s1","b":"s1","c":"s3"}"#, total: 12)
        expect(
            "PATH has no s3; model.safetensors.index.json names it, so the download is incomplete")
    }

    @Test(arguments: ["../s1", "/etc/passwd", "", ".", "..", "x/s1"])
    func shardsStayInTheDirectory(name: String) throws {
        try index(#"{"a":"\#(name)"}"#, total: 12)
        expect(
            "PATH/model.safetensors.index.json: tensor 'a': the shard must be a file name without "
                + "directories")
    }

    @Test func totalsMustAgree() throws {
        try index(#"{"a":"s1","b":"s1","c":"s2"}"#, total: 16)
        expect(
            "PATH/model.safetensors.index.json: total_size is 16, the shards hold 12 bytes")
    }

    @Test func anIndexNeedsAWeightMap() throws {
        try directory.write("{}", "model.safetensors.index.json")
        expect("PATH/model.safetensors.index.json: weight_map is missing or not an object")
        try directory.write("{", "model.safetensors.index.json")
        expect(
            "PATH/model.safetensors.index.json: not JSON: the text ends too early, at byte 1")
    }

    private func index(_ weightMap: String, total: Int) throws {
        try directory.write(
            #"{"metadata":{"total_size":\#(total)},"weight_map":\#(weightMap)}"#,
            "model.safetensors.index.json")
    }

    private func expect(_ description: String, sourceLocation: SourceLocation = #_sourceLocation) {
        expectFailure(description, in: directory.path, sourceLocation: sourceLocation) {
            _ = try ShardedSafetensors(indexPath: indexPath)
        }
    }
}
