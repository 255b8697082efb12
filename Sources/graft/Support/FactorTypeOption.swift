import Adapters
internal import ArgumentParser

/// The type that adapters' factors are kept in.
struct FactorTypeOption: ParsableArguments {
    /// What `--adapter-dtype` takes.
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case file, bf16
    }

    @Option(
        help:
            "file: low-rank factors as adapters' files have them; bf16: rounded, which halves their memory."
    )
    var adapterDtype: Name = .file

    var type: FactorType {
        switch adapterDtype {
        case .file: .file
        case .bf16: .bf16
        }
    }
}
