import Checkpoints
import Foundation
import StrictJSON
import Testing

/// One variant of a base's files, and what transformers makes of it: Tests/Goldens/base-files.
struct BaseFileCase: Sendable, CustomTestStringConvertible {
    let name: String
    private let base: String
    private let config: JSONObject
    private let tensors: JSONObject

    var testDescription: String { name }

    static let folder = Checkout.path("Tests/Goldens/base-files")
    static let manifest: JSONObject = (try? load()) ?? [:]
    static let tokens = GoldenCase.integers(manifest["tokens"] ?? .null)
    static let all =
        (manifest["variants"]?.arrayValue ?? []).compactMap(\.objectValue)
        .compactMap(BaseFileCase.init)

    /// Log-probabilities of a variant, [tokens, vocabulary] flat.
    static func expected(_ name: String) throws -> [Float] {
        try SafetensorsFile(path: folder + "/expected.safetensors").requiredTensor(name).floats()
    }

    private static func load() throws -> JSONObject? {
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/manifest.json"))
        return try JSONValue(parsing: [UInt8](data)).objectValue
    }

    private init?(_ object: JSONObject) {
        guard let name = object["name"]?.stringValue, let base = object["base"]?.stringValue,
            let config = object["config"]?.objectValue, let tensors = object["tensors"]?.objectValue
        else { return nil }
        self.name = name
        self.base = base
        self.config = config
        self.tensors = tensors
    }

    /// Writes the variant's files.
    func write(to directory: String) throws {
        let folder = "\(Situation.folder)/bases/\(base)"
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
        var settings = try JSONValue(parsing: [UInt8](text)).objectValue ?? [:]
        for (key, value) in config {
            // Null removes a key, and "NULL" stands for null.
            settings[key] = value.isNull ? nil : value == .string("NULL") ? .null : value
        }
        try AtomicFile.write(
            JSONValue.object(settings).serialized(), to: directory + "/config.json")
        let stored = try changed(SafetensorsFile(path: folder + "/model.safetensors"))
        let writer = SafetensorsWriter(
            tensors: stored.map { .init(name: $0.name, elementType: .f32, shape: $0.shape) })
        var rest = stored[...]
        try writer.write(to: directory + "/model.safetensors") {
            (_, sink) throws(CheckpointError) in
            guard let next = rest.popFirst() else { return }
            try sink.write(next.values.flatMap { withUnsafeBytes(of: $0, Array.init) })
        }
    }

    private typealias Tensor = (name: String, shape: [Int], values: [Float])

    private func changed(_ file: SafetensorsFile) throws -> [Tensor] {
        var result: [Tensor] = []
        let dropped = tensors["drop"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let set = tensors["set"]?.objectValue ?? [:]
        for name in file.tensorNames where !dropped.contains(name) && set[name] == nil {
            let tensor = try file.requiredTensor(name)
            result.append((name, tensor.shape, try tensor.floats()))
        }
        for (name, value) in set {
            let parts = try #require(value.arrayValue)
            let source = try file.requiredTensor(try #require(parts[0].stringValue))
            let factor = Float(try #require(parts[1].doubleValue))
            result.append((name, source.shape, try source.floats().map { factor * $0 }))
        }
        let (strip, prefix) = (tensors["strip"]?.stringValue, tensors["prefix"]?.stringValue)
        return result.map { tensor in
            let stem =
                strip.map {
                    tensor.name.hasPrefix($0)
                        ? String(tensor.name.dropFirst($0.count)) : tensor.name
                }
                ?? tensor.name
            return ((prefix ?? "") + stem, tensor.shape, tensor.values)
        }
    }
}
