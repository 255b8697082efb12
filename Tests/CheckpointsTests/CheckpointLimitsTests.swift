import Checkpoints
import StrictJSON
import Testing

/// What a checkpoint may hold beside its data: below each bound, at it, and above.
@Suite struct CheckpointLimitsTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static func around(_ limit: Int) -> [Int] { [limit - 1, limit, limit + 1] }

    @Test(arguments: around(CheckpointLimits.shardCount))
    func shards(count: Int) throws {
        let limit = CheckpointLimits.shardCount
        var places: [String] = []
        for number in 0..<count {
            places.append("\"t\(number)\":\"s\(number)\"")
            // Beyond the limit no shard is looked for.
            guard count <= limit else { continue }
            try directory.write(SafetensorsFixture.floats([("t\(number)", [1], [1])]), "s\(number)")
        }
        let path = try directory.write(
            "{\"weight_map\":{\(places.joined(separator: ","))}}", "model.safetensors.index.json")
        if count <= limit {
            #expect(try ShardedSafetensors(indexPath: path).tensorNames.count == count)
        } else {
            expectFailure(
                "PATH: it names \(count) shards, the limit is \(limit)", in: path
            ) { _ = try ShardedSafetensors(indexPath: path) }
        }
    }

    /// Elements are bounded whatever their type; bytes take least to write.
    @Test(arguments: around(CheckpointLimits.ggufElementCount))
    func elementsOfAnArray(count: Int) throws {
        let limit = CheckpointLimits.ggufElementCount
        var fixture = GGUFFixture.model()
        fixture.setArray("k", elementType: 0, count: count, [UInt8](repeating: 7, count: count))
        let path = try directory.write(fixture.file, "m.gguf")
        if count <= limit {
            #expect(try GGUFFile(path: path).architecture == "llama")
        } else {
            expectFailure(
                "PATH: 'k' has \(count) elements, the limit is \(limit)", in: path
            ) { _ = try GGUFFile(path: path) }
        }
    }

    @Test(arguments: around(CheckpointLimits.tensorCount))
    func tensorsOfASafetensorsFile(count: Int) throws {
        let limit = CheckpointLimits.tensorCount
        let entries = (0..<count).map {
            "\"t\($0)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"
        }
        let header = [UInt8]("{\(entries.joined(separator: ","))}".utf8)
        let path = try directory.write(bytes(UInt64(header.count)) + header, "m.safetensors")
        if count <= limit {
            #expect(try SafetensorsFile(path: path).tensorNames.count == count)
        } else {
            expectFailure(
                "PATH: too many tensors: \(count), the limit is \(limit)", in: path
            ) { _ = try SafetensorsFile(path: path) }
        }
    }

    @Test(arguments: around(CheckpointLimits.tensorCount))
    func tensorsOfAGGUFFile(count: Int) throws {
        let limit = CheckpointLimits.tensorCount
        var fixture = GGUFFixture.model()
        for number in 0..<count {
            fixture.describe("t\(number)", dimensions: [1], offset: UInt64(number * 32))
        }
        fixture.data = [UInt8](repeating: 0, count: count * 32)
        let path = try directory.write(fixture.file, "m.gguf")
        if count <= limit {
            #expect(try GGUFFile(path: path).tensorNames.count == count)
        } else {
            expectFailure(
                "PATH: too many tensors: \(count), the limit is \(limit)", in: path
            ) { _ = try GGUFFile(path: path) }
        }
    }

    @Test(arguments: around(CheckpointLimits.ggufPartCount))
    func partsOfAGGUFModel(count: Int) throws {
        let limit = CheckpointLimits.ggufPartCount
        func name(_ number: Int) -> String {
            func digits(_ number: Int) -> String {
                String(String(100_000 + number).dropFirst())
            }
            return "m-\(digits(number + 1))-of-\(digits(count)).gguf"
        }
        for number in 0..<(count <= limit ? count : 1) {
            var fixture = number == 0 ? GGUFFixture.model() : GGUFFixture()
            fixture.set("split.no", UInt32(number))
            fixture.set("split.count", UInt32(count))
            fixture.add("t\(number)", dimensions: [1], [1])
            try directory.write(fixture.file, name(number))
        }
        let path = directory.place(name(0))
        if count <= limit {
            #expect(try GGUFFile(path: path).tensorNames.count == count)
        } else {
            expectFailure(
                "PATH: 'split.count' is \(count), the limit is \(limit)", in: path
            ) { _ = try GGUFFile(path: path) }
        }
    }
}
