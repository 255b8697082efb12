extension AdapterError {
    /// What the commands that write adapters complain about.
    var toolDescription: String? {
        switch self {
        case .uncombinable(let adapter, let reason):
            "adapter '\(adapter)' can't be combined: \(reason)"
        case .unextractable(let module, let reason):
            "'\(module)' can't become part of a LoRA: \(reason)"
        case .unconvertible(let path, let reason):
            "\(path): can't be converted: \(reason)"
        default: nil
        }
    }
}
