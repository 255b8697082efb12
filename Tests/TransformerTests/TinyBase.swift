import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Transformer

/// A copy of models/tiny-llama in a temporary directory, with changes.
final class TinyBase {
    let path: String
    static let pool = WorkerPool(threadCount: 1)

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let original = root.appendingPathComponent("models/tiny-llama").path

    /// One of Tests/Goldens/architectures.
    static func architecture(_ name: String) -> String {
        root.appendingPathComponent("Tests/Goldens/architectures/" + name).path
    }

    /// One tensor of the copy.
    struct Tensor {
        var name: String
        var type: ElementType
        var shape: [Int]
        var bytes: [UInt8]
    }

    /// - Parameters:
    ///   - settings: put into config.json; null removes.
    ///   - change: changes the tensors.
    init(settings: JSONObject = [:], change: (inout [Tensor]) -> Void = { _ in }) throws {
        path = NSTemporaryDirectory() + "graft-base-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: Self.original + "/config.json")))
        var config = try JSONValue(parsing: text).objectValue ?? [:]
        for (key, value) in settings { config[key] = value.isNull ? nil : value }
        try AtomicFile.write(JSONValue.object(config).serialized(), to: path + "/config.json")
        var tensors = try Self.tensors()
        change(&tensors)
        let writer = SafetensorsWriter(
            tensors: tensors.map { .init(name: $0.name, elementType: $0.type, shape: $0.shape) })
        var rest = tensors[...]
        try writer.write(to: path + "/model.safetensors") { (_, sink) throws(CheckpointError) in
            if let tensor = rest.popFirst() { try sink.write(tensor.bytes) }
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open(quantization: Quantization? = nil) throws(TransformerError) -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool, quantization: quantization)
    }

    /// The message with which opening fails; nil when it opens.
    var failure: String? {
        do throws(TransformerError) {
            _ = try open()
            return nil
        } catch { return error.description }
    }

    private static func tensors() throws -> [Tensor] {
        let file = try SafetensorsFile(path: original + "/model.safetensors")
        return file.tensorNames.compactMap { name in
            file.tensor(name).map { view in
                withExtendedLifetime(view.owner) {
                    Tensor(
                        name: name, type: view.elementType, shape: view.shape,
                        bytes: [UInt8](view.bytes))
                }
            }
        }
    }
}
