internal import ArgumentParser
import Foundation
import Kernels
import StrictJSON

/// `graft doctor`: what this machine is to the program, and what is in its way.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what the program uses of this machine, and what is in its way.",
        discussion: """
            Prints the instruction set of the kernels (GRAFT_CPU chooses a weaker one), the core type \
            that OpenBLAS takes the processor for (OPENBLAS_CORETYPE chooses another), processors and \
            memory. Ends with 1 where something is wrong, with a sentence for each.
            """)

    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let report = MachineReport()
        print(json ? JSONValue.object(report.object).serialized() : report.text)
        if !report.complaints.isEmpty { throw ExitCode.failure }
    }
}

/// The facts of `graft doctor`.
struct MachineReport {
    let processor: String
    let processorCount: Int
    /// Bytes of memory.
    let memory: UInt64
    let instructionSet: String
    let strongestInstructionSet: String
    /// The core type of OpenBLAS's kernels; nil where the library can't be used.
    let linearAlgebraCore: String?
    /// What is wrong, each in one sentence.
    let complaints: [String]

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        processor = Self.processorName()
        processorCount = ProcessInfo.processInfo.activeProcessorCount
        memory = ProcessInfo.processInfo.physicalMemory
        instructionSet = InstructionSet.current.rawValue
        strongestInstructionSet = InstructionSet.strongest.rawValue
        let failure = BLAS.failure
        linearAlgebraCore = failure == nil ? BLAS.coreName : nil
        let choice = InstructionSet.complaint(
            aboutChoice: environment["GRAFT_CPU"], inUse: InstructionSet.current)
        complaints = [failure, choice].compactMap { $0 }
    }

    var object: JSONObject {
        [
            "version": .string(Version.text),
            "processor": .string(processor),
            "processors": .integer(Int64(processorCount)),
            "memory": .integer(Int64(clamping: memory)),
            "instruction_set": .string(instructionSet),
            "strongest_instruction_set": .string(strongestInstructionSet),
            "openblas_core": linearAlgebraCore.map(JSONValue.string) ?? .null,
            "complaints": .array(complaints.map(JSONValue.string)),
        ]
    }

    var text: String {
        let gibibytes = Double(memory) / Double(1 << 30)
        let rows = [
            ("graft", Version.text),
            ("processor", "\(processor), \(processorCount) in use"),
            ("memory", String(format: "%.1f GiB", gibibytes)),
            (
                "kernels",
                instructionSet == strongestInstructionSet
                    ? instructionSet : "\(instructionSet) (strongest: \(strongestInstructionSet))"
            ),
            ("OpenBLAS core", linearAlgebraCore ?? "not usable"),
        ]
        let lines = rows.map { $0.0.padding(toLength: 15, withPad: " ", startingAt: 0) + $0.1 }
        return (lines + complaints.map { "wrong: \($0)" }).joined(separator: "\n")
    }

    /// The system's name for the processor; its architecture where there is none.
    private static func processorName() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        guard let name = line?.split(separator: ":").last else {
            #if arch(arm64)
                return "ARM, 64 bits"
            #else
                return "unknown"
            #endif
        }
        return name.trimmingCharacters(in: .whitespaces)
    }
}
