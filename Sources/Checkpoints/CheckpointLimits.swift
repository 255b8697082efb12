/// How much a file of a checkpoint may hold beside its tensors' data. Real files stay far below;
/// what is beyond is refused before it is read, so that no header costs more memory or time than
/// these allow.
public enum CheckpointLimits {
    /// Bytes of a safetensors file's header, as the format's own library has it.
    public static let safetensorsHeaderByteCount = 100_000_000
    /// Tensors of a file, and of all parts of a GGUF file.
    public static let tensorCount = 100_000
    /// Keys of a GGUF file.
    public static let ggufKeyCount = 4096
    /// Elements of an array among them; vocabularies have some 250,000.
    public static let ggufElementCount = 1 << 22
    /// Files that one model in GGUF form is split into.
    public static let ggufPartCount = 1000
    /// Bytes of `config.json`, `generation_config.json` and the like.
    public static let configurationByteCount = 16 << 20
    /// Bytes of an index of shards.
    public static let indexByteCount = 64 << 20
    /// Bytes of one file of a tokenizer.
    public static let tokenizerFileByteCount = 256 << 20
    /// Shards of a checkpoint.
    public static let shardCount = 1000
}
