import Adapters
internal import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Transformer

/// `graft inspect`: what a file or directory is.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a base or an adapter is: architecture, tensors, method, rank, hash.",
        discussion: """
            The kind is told from the content, not from the name. With --base, an adapter is compiled \
            for that base: for each kind of layer its form, where it acts, the multiplications with \
            additions that a row costs, the bytes, and both as shares of the layers' own; whether it \
            merges; and what it can be combined with.
            """)

    @Flag(help: "Print one JSON object.") var json = false
    @Flag(help: "List every tensor.") var tensors = false
    @Option(help: ArgumentHelp("The base that the adapter is for.", valueName: "path"))
    var base: String?
    @OptionGroup var updates: UpdateTypeOption
    @Argument(help: ArgumentHelp("A base or an adapter.", valueName: "path")) var file: String

    func run() throws {
        let report = try report()
        if json { return print(JSONValue.object(report).serialized()) }
        for (key, value) in report { printEntry(key, value) }
    }

    /// An adapter says so in its configuration; everything else is taken for a base.
    private func report() throws -> JSONObject {
        let hasAdapterConfiguration = FileManager.default.fileExists(
            atPath: (file as NSString).appendingPathComponent("adapter_config.json"))
        // With --base it must be one.
        if hasAdapterConfiguration || base != nil {
            return try adapterReport(AdapterInspection(path: file))
        }
        if let adapter = try? AdapterInspection(path: file) { return try adapterReport(adapter) }
        return try baseReport(BaseCheckpoint.open(path: file))
    }

    private func adapterReport(_ adapter: AdapterInspection) throws -> JSONObject {
        var report: JSONObject = [
            "kind": .string("adapter"), "peft_type": .string(adapter.peftType),
            "supported": .bool(adapter.isSupported), "hash": .string(adapter.hash),
            "parameters": .integer(Int64(adapter.parameterCount)),
            "rank": .array(adapter.ranks.map { .integer(Int64($0)) }),
        ]
        for key in ["r", "lora_alpha", "target_modules", "modules_to_save", "num_virtual_tokens"] {
            if let value = adapter.configuration[key], !value.isNull { report[key] = value }
        }
        report["tensor_count"] = .integer(Int64(adapter.tensors.count))
        if let base {
            let pool = WorkerPool(threadCount: ProcessInfo.processInfo.activeProcessorCount)
            let base = try BaseModel.open(path: base, pool: pool)
            try OperatorReport(path: file, base: base, updateType: updates.type, pool: pool)
                .add(to: &report)
        }
        if tensors {
            report["tensors"] = .array(
                adapter.tensors.map { entry($0.name, type: $0.type, shape: $0.shape) })
        }
        return report
    }

    private func baseReport(_ base: BaseCheckpoint) -> JSONObject {
        let views = base.tensors.tensorNames.compactMap { base.tensors.tensor($0) }
        var byteCounts: [String: Int] = [:]
        for view in views { byteCounts[view.elementType.rawValue, default: 0] += view.bytes.count }
        var report: JSONObject = ["kind": .string("base"), "format": .string("\(base.kind)")]
        for key in Self.configurationKeys {
            if let value = base.configuration[key], !value.isNull { report[key] = value }
        }
        report["tokenizer"] = base.tokenizer.map { .string($0.vocabulary.kindName) } ?? .null
        var bytesByType = JSONObject()
        for (type, count) in byteCounts.sorted(by: { $0.key < $1.key }) {
            bytesByType[type] = .integer(Int64(count))
        }
        report["bytes_by_type"] = .object(bytesByType)
        report["tensor_count"] = .integer(Int64(views.count))
        let warnings =
            base.warnings
            + DecoderSpec.warnings(base.configuration, file: base.tensors.path)
            + KeptTypes(expectedOf: base.tensors).warnings(file: base.tensors.path)
        do {
            _ = try DecoderSpec(base.configuration, file: base.tensors.path)
            report["supported"] = .bool(true)
        } catch {
            report["supported"] = .bool(false)
            report["reason"] = .string("\(error)")
            if let nearest = NearestArchitecture(base) {
                report["nearest"] = .string(nearest.sentence)
            }
        }
        if !warnings.isEmpty { report["warnings"] = .array(warnings.map { .string($0) }) }
        if tensors {
            report["tensors"] = .array(
                views.map { entry($0.name, type: $0.elementType.rawValue, shape: $0.shape) })
        }
        return report
    }

    private static let configurationKeys = [
        "model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
        "max_position_embeddings", "tie_word_embeddings",
    ]

    private func entry(_ name: String, type: String, shape: [Int]) -> JSONValue {
        .object([
            "name": .string(name), "type": .string(type),
            "shape": .array(shape.map { .integer(Int64($0)) }),
        ])
    }

    private func printEntry(_ key: String, _ value: JSONValue) {
        if key == "tensors", let entries = value.arrayValue {
            for entry in entries {
                let members = entry.objectValue
                let name = members?["name"]?.stringValue ?? ""
                let type = members?["type"]?.stringValue ?? ""
                print("  \(name)  \(type) \(members?["shape"]?.serialized() ?? "")")
            }
            return
        }
        if key == "operators", let entries = value.arrayValue {
            for entry in entries { print(OperatorReport.line(entry.objectValue ?? [:])) }
            return
        }
        if value.isNull { return }
        print(key.padding(24), value.stringValue ?? value.serialized())
    }
}

extension TokenizerAssets.Vocabulary {
    /// For people.
    fileprivate var kindName: String {
        switch self {
        case .sentencePiece: "SentencePiece"
        case .tokenizerJSON: "BPE (tokenizer.json)"
        case .gguf(let vocabulary):
            vocabulary.model == "llama" ? "SentencePiece (GGUF)" : "byte-level BPE (GGUF)"
        }
    }
}
