internal import StrictJSON

/// Writes a checkpoint of one safetensors file or, where it would be too large, of several with an
/// index, under the names that Hugging Face's libraries look for.
public struct ShardedSafetensorsWriter {
    private let shards: [[SafetensorsWriter.Tensor]]
    private let metadata: [String: String]

    /// Plans the shards: tensors keep their order, and a shard ends before it would pass
    /// `maximumShardByteCount` (a larger tensor is a shard of its own).
    public init(
        tensors: [SafetensorsWriter.Tensor], metadata: [String: String] = ["format": "pt"],
        maximumShardByteCount: Int = 5_000_000_000
    ) {
        var shards: [[SafetensorsWriter.Tensor]] = [[]]
        var shardByteCount = 0
        for tensor in tensors {
            if shardByteCount > 0, shardByteCount + tensor.byteCount > maximumShardByteCount {
                shards.append([])
                shardByteCount = 0
            }
            shards[shards.count - 1].append(tensor)
            shardByteCount += tensor.byteCount
        }
        self.shards = shards
        self.metadata = metadata
    }

    /// The files that `write` makes, in order, without the index.
    public var fileNames: [String] {
        guard shards.count > 1 else { return ["model.safetensors"] }
        return (1...shards.count).map { number in
            "model-\(Self.padded(number))-of-\(Self.padded(shards.count)).safetensors"
        }
    }

    /// Writes all files into a directory; see `SafetensorsWriter.write` for the parameters.
    ///
    /// - Throws: `CheckpointError`, and what `body` throws. Shards that were complete before
    ///   remain: write into an `AtomicDirectory`.
    public func write(
        toDirectory directory: String, progress: (Double) -> Void = { _ in },
        _ body: (SafetensorsWriter.Tensor, inout TensorSink) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let total = max(totalByteCount, 1)
        var doneByteCount = 0
        for (name, tensors) in zip(fileNames, shards) {
            let shardByteCount = tensors.reduce(0) { $0 + $1.byteCount }
            try SafetensorsWriter(tensors: tensors, metadata: metadata).write(
                to: FilePath.join(directory, name),
                progress: { share in
                    progress(
                        (Double(doneByteCount) + share * Double(shardByteCount)) / Double(total))
                }, body)
            doneByteCount += shardByteCount
        }
        guard shards.count > 1 else { return }
        let index = JSONValue.object(index()).serialized(pretty: true) + "\n"
        try AtomicFile.write(
            index, to: FilePath.join(directory, "model.safetensors.index.json"))
    }

    private var totalByteCount: Int {
        shards.reduce(0) { $1.reduce($0) { $0 + $1.byteCount } }
    }

    private func index() -> JSONObject {
        var weightMap = JSONObject()
        for (name, tensors) in zip(fileNames, shards) {
            for tensor in tensors { weightMap[tensor.name] = .string(name) }
        }
        return [
            "metadata": .object(["total_size": .integer(Int64(totalByteCount))]),
            "weight_map": .object(weightMap),
        ]
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(5 - digits.count, 0)) + digits
    }
}
