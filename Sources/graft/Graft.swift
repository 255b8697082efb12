internal import ArgumentParser
import Foundation
internal import Kernels

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
            ConvertCommand.self, KeysCommand.self,
            ExtractCommand.self, BenchCommand.self, PerplexityCommand.self, DoctorCommand.self,
        ])

    /// Opens OpenBLAS before other threads read the environment, then runs the command. Without the
    /// library there is no command but `doctor`, which says so too, and help.
    static func main() async {
        LoadingHeap.prepare()
        let failure = BLAS.failure
        let arguments = CommandLine.arguments.dropFirst()
        let needsNone = ["doctor", "help", "--help", "-h", "--version"]
        if let failure, !arguments.contains(where: needsNone.contains) {
            writeToStandardError("Error: \(failure)")
            Foundation.exit(1)
        }
        do {
            var command = try parseAsRoot()
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Says what went wrong, in one line whatever names of files and their fields are in it.
    private static func end(with error: any Error) -> Never {
        guard exitCode(for: error) == .failure, !(error is ExitCode) else {
            exit(withError: error)
        }
        let reason = (error as? any LocalizedError)?.errorDescription ?? "\(error)"
        writeToStandardError("Error: \(reason)")
        Foundation.exit(ExitCode.failure.rawValue)
    }
}

/// The program's version, as `--version` prints it.
enum Version {
    static let text = "0.1.0"
}
