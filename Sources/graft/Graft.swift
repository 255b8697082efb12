internal import ArgumentParser

/// The command line.
@main
struct Graft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graft",
        abstract: "Serves one frozen base model with any number of PEFT adapters on a CPU.",
        discussion: """
            Each request picks its adapter, or a weighted mix of adapters; requests with different \
            adapters share every forward step. Start with:

              graft serve --base model.bin --adapter law=law.lora
              graft run --base model.bin --adapter law=law.lora "A contract is"
            """,
        version: Version.text,
        subcommands: [
            ServeCommand.self, RunCommand.self, MergeCommand.self, InspectCommand.self,
            MethodsCommand.self, VerifyCommand.self, PackCommand.self, CombineCommand.self,
            ConvertCommand.self,
            ExtractCommand.self, BenchCommand.self, PerplexityCommand.self,
        ])
}

/// The program's version, as `--version` prints it.
enum Version {
    static let text = "0.1.0"
}
