internal import StrictJSON

/// Tensors spread over several safetensors files, joined by a `model.safetensors.index.json`.
public struct ShardedSafetensors: TensorSource {
    public let path: String
    public let tensorNames: [String]
    public let metadata: [String: String]
    private let shards: [SafetensorsFile]
    /// Which shard holds a tensor.
    private let places: [String: Int]

    /// Opens all shards that the index names, beside it, and checks that index and shards agree.
    ///
    /// - Throws: `CheckpointError`, which names the index, or the shard and its tensor.
    public init(indexPath: String) throws(CheckpointError) {
        let index = try ShardIndex(path: indexPath)
        let directory = FilePath.directory(of: indexPath)
        var shards: [SafetensorsFile] = []
        var places: [String: Int] = [:]
        for shardName in index.shardNames {
            let shard = try Self.shard(shardName, directory, indexPath)
            for name in shard.tensorNames {
                if let other = places.updateValue(shards.count, forKey: name) {
                    throw .invalidTensor(
                        name,
                        reason: "stored twice, in \(FilePath.name(of: shards[other].path)) too",
                        path: shard.path)
                }
                guard index.weightMap[name] == shardName else {
                    throw .invalidTensor(
                        name, reason: "the index doesn't place it in this shard", path: shard.path)
                }
            }
            shards.append(shard)
        }
        for (name, shardName) in index.weightMap where places[name] == nil {
            throw .missingTensor(name, path: FilePath.join(directory, shardName))
        }
        try Self.checkTotal(index, shards, indexPath)
        path = directory
        self.shards = shards
        self.places = places
        tensorNames = shards.flatMap(\.tensorNames)
        metadata = shards.first?.metadata ?? [:]
    }

    public func tensor(_ name: String) -> TensorView? {
        places[name].flatMap { shards[$0].tensor(name) }
    }

    private static func shard(
        _ name: String, _ directory: String, _ indexPath: String
    ) throws(CheckpointError) -> SafetensorsFile {
        do {
            return try SafetensorsFile(path: FilePath.join(directory, name))
        } catch .notFound {
            throw .missingFile(
                name, directory: directory,
                hint: "\(FilePath.name(of: indexPath)) names it, so the download is incomplete")
        }
    }

    /// `total_size` counts tensor bytes; a total that is off means that index and shards don't
    /// belong together.
    private static func checkTotal(
        _ index: ShardIndex, _ shards: [SafetensorsFile], _ path: String
    ) throws(CheckpointError) {
        guard let total = index.totalByteCount else { return }
        var found = 0
        for shard in shards {
            for name in shard.tensorNames { found += shard.tensor(name)?.bytes.count ?? 0 }
        }
        guard found == total else {
            throw .malformed(
                path: path, reason: "total_size is \(total), the shards hold \(found) bytes")
        }
    }
}

/// A `model.safetensors.index.json`.
private struct ShardIndex {
    /// Tensor → shard file.
    let weightMap: [String: String]
    /// Sorted.
    let shardNames: [String]
    let totalByteCount: Int?

    init(path: String) throws(CheckpointError) {
        let object = try JSONFile.object(path: path, limit: CheckpointLimits.indexByteCount)
        guard let entries = object["weight_map"]?.objectValue else {
            throw .malformed(path: path, reason: "weight_map is missing or not an object")
        }
        var weightMap: [String: String] = [:]
        for (name, value) in entries {
            guard let shard = value.stringValue, FilePath.isPlainName(shard) else {
                throw .invalidTensor(
                    name, reason: "the shard must be a file name without directories", path: path)
            }
            weightMap[name] = shard
        }
        self.weightMap = weightMap
        shardNames = Set(weightMap.values).sorted()
        guard shardNames.count <= CheckpointLimits.shardCount else {
            throw .malformed(
                path: path,
                reason: "it names \(shardNames.count) shards, the limit is "
                    + "\(CheckpointLimits.shardCount)")
        }
        totalByteCount = object["metadata"]?.objectValue?["total_size"]?.intValue
    }
}
