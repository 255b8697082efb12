internal import Checkpoints

extension GGUFLoRA {
    /// The keys of llama.cpp's LoRAs, and of models, whose keys a converter may have taken along.
    ///
    /// **Source**: llama.cpp, `llama-adapter.cpp`, `convert_lora_to_gguf.py`; `gguf/metadata.py`.
    static let keys = SettingTable(
        title: "llama.cpp's LoRA (GGUF)",
        entries: [
            .init(typeKey, .read), .init(architectureKey, .held), .init(adapterTypeKey, .read),
            .init(alphaKey, .read), .init(invocationKey, .read), .init("general.alignment", .read),
        ] + measures.map { .init("<architecture>." + $0.key, .held) } + stored + descriptive)

    private static let stored: [SettingTable.Entry] = [
        "general.file_type", "general.quantization_version",
    ].map { .init($0, .without("each tensor says its type")) }

    private static let descriptive: [SettingTable.Entry] = [
        "general.name", "general.basename", "general.finetune", "general.size_label",
        "general.version", "general.description", "general.author", "general.organization",
        "general.quantized_by", "general.license*", "general.url", "general.doi",
        "general.uuid", "general.repo_url", "general.source.*", "general.tags",
        "general.languages", "general.base_model.*", "general.dataset.*", "general.datasets",
        "general.base_models",
    ].map { .init($0, .without("it describes the file")) }

    /// Sizes of the base, behind the architecture and a dot, as models have them.
    private static let measures: [(key: String, measure: ForeignOrigin.Measure)] = [
        ("block_count", .layerCount), ("embedding_length", .hiddenSize),
        ("feed_forward_length", .intermediateSize), ("attention.head_count", .queryHeadCount),
        ("attention.head_count_kv", .keyValueHeadCount),
        ("attention.key_length", .headDimension),
    ]

    /// What the file says of its base, and what nobody knows.
    ///
    /// - Throws: `AdapterError.damagedFile` for a size that is no whole number.
    static func origin(_ file: GGUFFile, architecture: String) throws(AdapterError) -> ForeignOrigin
    {
        var origin = ForeignOrigin(
            file: file.path,
            claims: [.init(name: architectureKey, meaning: .architecture(architecture))])
        let prefix = architecture + "."
        for key in file.keys where keys.use(of: key) == nil {
            if let (_, measure) = measures.first(where: { prefix + $0.key == key }) {
                do throws(CheckpointError) {
                    guard let count = try file.count(key) else { continue }
                    origin.claims.append(.init(name: key, meaning: .measure(measure, count)))
                } catch { throw .damagedFile(error.description) }
            } else {
                origin.unknown.append((CheckpointError.shown(key), file.shownValue(key) ?? ""))
            }
        }
        return origin
    }
}
