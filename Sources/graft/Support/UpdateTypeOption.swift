import Adapters
internal import ArgumentParser

/// The type that the matrices of adapters' updates are kept in.
struct UpdateTypeOption: ParsableArguments {
    /// What `--adapter-dtype` takes.
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case file, bf16
    }

    @Option(
        help: ArgumentHelp(
            "Keep the matrices of adapters' updates as their files have them, or rounded to bf16, which halves the memory of f32 (default: file beside weights in f32 or f16, else bf16).",
            valueName: "type"))
    var adapterDtype: Name?

    var type: UpdateType {
        switch adapterDtype {
        case .file: .file
        case .bf16: .bf16
        case nil: .asWeights
        }
    }
}
