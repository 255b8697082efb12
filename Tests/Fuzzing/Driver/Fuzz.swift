import ArgumentParser
import Foundation
import FuzzTargets
import Glibc

/// Feeds mutants of real files to the readers and keeps those that a reader can't take.
///
/// A parent starts a worker process, which reads one mutant after the other; where it ends, hangs
/// or wants too much memory, the parent saves the mutant and starts another worker behind it.
/// Mutants depend on target, seed and number alone, so every find can be made again.
@main
struct Fuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Feeds mutants of real files to Graft's readers.",
        discussion: "Targets: all, \(FuzzTargets.names.joined(separator: ", ")).")

    @Argument(help: "A target, or all.") var target: String
    @Option(help: "How long, of all targets together.") var minutes = 2.0
    @Option(help: "Where the mutants begin.") var seed: UInt64 = 1
    @Option(help: "The repository, for the seeds.") var checkout = "."
    @Option(help: "Where finds are kept.") var out = ".build/fuzz"
    @Option(help: "Reads one kept find again.") var again: String?
    @Option(help: .hidden) var worker: String?
    @Option(help: .hidden) var first = 0

    func validate() throws {
        guard target == "all" || FuzzTargets.names.contains(target) else {
            throw ValidationError(
                "there is no target '\(target)'; there are \(FuzzTargets.names)")
        }
        guard minutes > 0, minutes <= 10_000 else {
            throw ValidationError("--minutes is \(minutes), expected more than 0")
        }
    }

    func run() throws {
        if let again {
            guard let target = try FuzzTargets.make(target, checkout: checkout) else { return }
            do { try target.read(again) } catch { print("refused: \(error)") }
            return
        }
        if let worker { return try Worker(fuzz: self, progress: worker).run() }
        let names = target == "all" ? FuzzTargets.names : [target]
        var findCount = 0
        for name in names {
            var parent = Parent(
                target: name, seed: seed, checkout: checkout, out: out,
                seconds: minutes * 60 / Double(names.count))
            findCount += try parent.run()
        }
        if findCount > 0 { throw ExitCode.failure }
    }
}

/// What a worker tells its parent through shared memory.
struct Progress {
    /// The mutant that is being read.
    var index: Int = -1
    /// Mutants that were read without an error.
    var acceptedCount: Int = 0
}

/// The process that reads.
struct Worker {
    /// Address space beyond what it has at its start, in bytes.
    private static let memoryLimit: UInt = 3 << 30

    /// Bytes of a mutant.
    private static let byteCountLimit = 8 << 20

    let fuzz: Fuzz
    let progress: String

    func run() throws {
        guard let target = try FuzzTargets.make(fuzz.target, checkout: fuzz.checkout) else {
            return
        }
        let descriptor = open(progress, O_RDWR)
        let size = MemoryLayout<Progress>.stride
        guard descriptor >= 0,
            let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            memory != MAP_FAILED
        else { throw ValidationError("\(progress) can't be mapped") }
        let shared = memory.assumingMemoryBound(to: Progress.self)
        limitMemory()
        let folder = "/dev/shm/graft-fuzz-\(getpid())"
        for index in fuzz.first... {
            var random = SplitMix(seed: fuzz.seed &* 0x1_0000_0001 &+ UInt64(index))
            let input = target.mutant(&random)
            // Repeated elements of repeated elements grow; what is large takes long rightly.
            guard input.byteCount <= Self.byteCountLimit else { continue }
            try? FileManager.default.removeItem(atPath: folder)
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try input.write(to: folder)
            shared.pointee.index = index
            do {
                try target.read(folder)
                shared.pointee.acceptedCount += 1
            } catch {
                // A refusal that can't be said is a find as well.
                _ = "\(error)"
            }
        }
    }

    private func limitMemory() {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").first.flatMap { UInt($0) } ?? 0
        let bytes = rlim_t(pages * UInt(getpagesize()) + Self.memoryLimit)
        var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        var noCore = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &noCore)
    }
}

/// The process that watches.
struct Parent {
    /// How long one mutant may take.
    private static let secondsLimit = 20.0

    let target: String
    let seed: UInt64
    let checkout: String
    let out: String
    let seconds: Double

    /// - Returns: how many finds there were.
    mutating func run() throws -> Int {
        let progressFile = "/dev/shm/graft-fuzz-progress-\(getpid())"
        try Data(count: MemoryLayout<Progress>.stride).write(
            to: URL(fileURLWithPath: progressFile))
        defer { try? FileManager.default.removeItem(atPath: progressFile) }
        let descriptor = open(progressFile, O_RDWR)
        guard
            let memory = mmap(
                nil, MemoryLayout<Progress>.stride, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                0)
        else { return 0 }
        let shared = memory.assumingMemoryBound(to: Progress.self)
        shared.pointee = Progress()
        let end = Date().addingTimeInterval(seconds)
        var finds = 0
        var first = 0
        while Date() < end {
            let process = Process()
            process.executableURL = URL(
                fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/exe")) ?? CommandLine.arguments[0])
            process.arguments = [
                target, "--seed", "\(seed)", "--checkout", checkout, "--worker", progressFile,
                "--first", "\(first)",
            ]
            // A worker that ends is read again by whoever mends it; its own account takes seconds.
            process.environment = ProcessInfo.processInfo.environment.merging([
                "SWIFT_BACKTRACE": "enable=no"
            ]) { $1 }
            process.standardError = FileHandle(forWritingAtPath: "/dev/null")
            shared.pointee.index = first - 1
            try process.run()
            let reason = watch(process, shared, until: end)
            try? FileManager.default.removeItem(
                atPath: "/dev/shm/graft-fuzz-\(process.processIdentifier)")
            first = shared.pointee.index + 1
            guard let reason else { break }
            guard shared.pointee.index >= 0 else {
                print("fuzz: \(target): the worker ended before its first mutant: \(reason)")
                return 1
            }
            try keep(shared.pointee.index, reason)
            finds += 1
        }
        print(
            "fuzz: \(target): \(first) mutants, \(shared.pointee.acceptedCount) of them read, "
                + "\(finds) finds")
        munmap(memory, MemoryLayout<Progress>.stride)
        close(descriptor)
        return finds
    }

    /// Waits for the worker's end; nil where the time was over.
    private func watch(
        _ process: Process, _ shared: UnsafeMutablePointer<Progress>, until end: Date
    ) -> String? {
        var last = shared.pointee.index
        var since = Date()
        while process.isRunning {
            usleep(50_000)
            if shared.pointee.index != last {
                last = shared.pointee.index
                since = Date()
            }
            let isOver = Date() >= end
            let hangs = Date().timeIntervalSince(since) > Self.secondsLimit
            guard isOver || hangs else { continue }
            // What is being read when time is over is read to its end, up to the limit.
            if isOver, !hangs, shared.pointee.index == last,
                Date().timeIntervalSince(since) > 1
            {
                continue
            }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            return hangs ? "it took more than \(Int(Self.secondsLimit)) s" : nil
        }
        return "the process ended with \(process.terminationStatus)"
    }

    private func keep(_ index: Int, _ reason: String) throws {
        guard let target = try FuzzTargets.make(target, checkout: checkout) else { return }
        var random = SplitMix(seed: seed &* 0x1_0000_0001 &+ UInt64(index))
        let folder = "\(out)/\(self.target)-\(seed)-\(index)"
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try target.mutant(&random).write(to: folder)
        print("fuzz: \(self.target): mutant \(index): \(reason); kept in \(folder)")
    }
}
