import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Synchronization
import Testing
import Transformer

/// Adapters that must lie in a directory: each of their files does, as it is opened.
@Suite struct AdapterRootTests {
    let reading: AdapterReading
    private let files = FileManager.default

    init() throws {
        reading = try AdapterReading()
        try files.createDirectory(atPath: path("root"), withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { reading.directory.path + "/" + name }

    private func link(_ name: String, to destination: String) throws {
        try? files.removeItem(atPath: path(name))
        try files.createSymbolicLink(atPath: path(name), withDestinationPath: destination)
    }

    private func adapter(_ name: String, seed: UInt64 = 3) throws -> String {
        try AdapterFixture.lora([AdapterFixture.query], seed: seed).write(
            to: reading.directory, name: name)
    }

    /// What a client hears who may load from `root`.
    private func outcome(_ name: String, root: String? = nil) -> String {
        let registry = AdapterRegistry(base: reading.base)
        return reading.failure {
            try registry.load(
                name: "a", path: name.hasPrefix("/") ? name : path(name), root: root ?? path("root")
            )
        }
    }

    private static let refusal =
        ": not inside the directory that adapters are loaded from: move the adapter there"

    @Test func whatLiesInsideIsServed() throws {
        let source = try adapter("root/law")
        try files.createDirectory(atPath: path("root/sub/deep"), withIntermediateDirectories: true)
        _ = try AdapterPacking.pack(from: source, to: path("root/sub/deep/law.lora"))
        try link("root/absolute", to: source)
        try link("root/sub/relative", to: "../law")
        try link("root/sub/deep/chain", to: "../relative/../absolute/.")
        try link("outside", to: path("root/law"))
        try link("alias", to: path("root"))
        for name in [
            "root/law", "root/law/", "root/absolute", "root/sub/relative", "root/sub/deep/chain",
            "root/sub/deep/law.lora", "root/law/../law", "root//law/.", "alias/law", "outside",
            "root/../alias/sub/../law",
        ] {
            #expect(outcome(name) == "no error", "\(name)")
            #expect(outcome(name, root: path("alias")) == "no error", "\(name)")
            #expect(outcome(name, root: "/") == "no error", "\(name)")
        }
        #expect(outcome(source, root: source) == "no error")
    }

    @Test func whatLeadsOutIsRefused() throws {
        _ = try adapter("root/law")
        let outside = try adapter("rooted")
        _ = try AdapterPacking.pack(from: outside, to: path("rooted.lora"))
        try link("root/link", to: outside)
        try link("root/file.lora", to: "../rooted.lora")
        try link("root/dots", to: "../rooted")
        try link("root/chain", to: "dots")
        try link("root/root", to: "/")
        for name in [
            "rooted", "rooted.lora", "root/../rooted", "root/link", "root/file.lora", "root/dots",
            "root/chain", "root/root", "/etc/passwd", "/", "missing", "/missing/missing",
            "root/law/../../rooted",
        ] {
            #expect(outcome(name) == name + Self.refusal, "\(name)")
        }
        #expect(outcome("root/root/etc") == "root/root/etc" + Self.refusal)
        // Of what is inside, more may be said.
        #expect(outcome("root/missing").hasPrefix("root/missing: no such file or directory"))
        #expect(
            outcome("root/law/adapter_config.json/x").hasPrefix("root/law/adapter_config.json/x"))
        // Nothing lies in a directory that isn't there.
        #expect(outcome("root/law", root: path("nowhere")) == "root/law" + Self.refusal)
        #expect(
            outcome("root/law", root: path("root/law/adapter_config.json")).hasSuffix(Self.refusal))
    }

    @Test func relativePathsBeginAtTheWorkingDirectory() throws {
        _ = try adapter("root/law")
        let registry = AdapterRegistry(base: reading.base)
        #expect(throws: AdapterError.outsideRoot(path: "law")) {
            try registry.load(name: "a", path: "law", root: path("root"))
        }
        let steps = files.currentDirectoryPath.split(separator: "/").map { _ in ".." }
        try registry.load(
            name: "a", path: steps.joined(separator: "/") + path("root/law"), root: path("root"))
    }

    @Test(arguments: [
        "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "chat_template.jinja",
    ])
    func everyFileOfADirectoryLiesInside(name: String) throws {
        let inside = try adapter("root/law")
        let secret = path("secret")
        try AtomicFile.write("{\"r\": \"the secret\"}", to: secret)
        for destination in [secret, "../../secret", "/dev/zero", path("missing")] {
            try link("root/law/" + name, to: destination)
            let text = outcome("root/law")
            #expect(text == "root/law/\(name)" + Self.refusal, "\(destination)")
        }
        // Behind as many other entries as you like.
        for index in 0..<4200 { try AtomicFile.write("", to: inside + "/0\(index)") }
        try link("root/law/" + name, to: secret)
        #expect(outcome("root/law") == "root/law/\(name)" + Self.refusal)
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func expertsLieInsideToo(kind: MixtureFixture.Kind) throws {
        let outside = try MixtureFixture.expert(seed: 4).write(
            to: reading.directory, name: "outside")
        try MixtureFixture(kind).write(to: reading.directory, name: "root/mix")
        #expect(outcome("root/mix") == "no error")
        for name in ["adapter_model.safetensors", "adapter_config.json"] {
            try MixtureFixture(kind).write(to: reading.directory, name: "root/mix")
            try link("root/mix/task0/" + name, to: outside + "/" + name)
            #expect(outcome("root/mix").contains(": not inside the directory"))
            try files.removeItem(atPath: path("root/mix/task0/" + name))
        }
        for place in [outside, "../../outside"] {
            var fixture = MixtureFixture(kind)
            fixture.places[0] = place
            try fixture.write(to: reading.directory, name: "root/mix")
            #expect(outcome("root/mix").contains(": not inside the directory of the mixture"))
        }
        try MixtureFixture(kind).write(to: reading.directory, name: "root/mix")
        try link("root/mix/task0", to: outside)
        #expect(outcome("root/mix").hasPrefix("root/mix/task0: not inside the directory"))
    }

    /// Links, and files where directories must be: no walk goes on for ever, or holds many files.
    @Test func hostilePathsEnd() throws {
        _ = try adapter("root/law")
        try link("root/loop", to: "loop")
        #expect(outcome("root/loop").contains("symbolic links"))
        try link("root/law/tokenizer.json", to: "tokenizer.json")
        #expect(outcome("root/law").contains("symbolic links"))
        #expect(outcome("root/" + String(repeating: "a", count: 300)).contains("too long"))
        #expect(outcome("root/" + String(repeating: "./", count: 3000)).hasSuffix(Self.refusal))
        var deep = "root"
        for _ in 0..<300 {
            deep += "/d"
            try files.createDirectory(atPath: path(deep), withIntermediateDirectories: false)
        }
        #expect(outcome(deep).contains("it lies more than 256 directories deep"))
        #expect(outcome(deep, root: "/").contains("it lies more than 256 directories deep"))
        #expect(outcome("root/law\u{0}") == "root/law\\0: can't be read: not a path")
        #expect(
            reading.failure {
                try AdapterRegistry(base: reading.base).load(name: "a", path: "", root: "/")
            } == ": can't be read: not a path")
    }

    // MARK: What is no file

    private enum Special: CaseIterable { case fifo, device, directory, socket }

    private func make(_ special: Special, at name: String) throws {
        try? files.removeItem(atPath: path(name))
        switch special {
        case .fifo: try #require(mkfifo(path(name), 0o600) == 0)
        case .device: try link(name, to: "/dev/zero")
        case .directory:
            try files.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        case .socket:
            // A short path, as sockets need one, linked to.
            let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let text = "/tmp/graft-\(UInt32.random(in: 0 ... .max)).s"
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: text.utf8) }
            let isBound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                }
            }
            try #require(isBound)
            try files.moveItem(atPath: text, toPath: path(name))
        }
    }

    @Test(arguments: Special.allCases)
    private func whatIsNoFileIsNotWaitedFor(special: Special) throws {
        let noun =
            switch special {
            case .fifo: "a FIFO"
            case .device: "a device"
            case .directory: "a directory"
            case .socket: "a socket"
            }
        for name in ["adapter_config.json", "adapter_model.safetensors", "tokenizer_config.json"] {
            _ = try adapter("root/law")
            try make(special, at: "root/law/" + name)
            let expected =
                "root/law/\(name): \(noun), not a regular file: adapters are read from regular files "
                + "only"
            #expect(reading.failure { _ = try reading.read(path: path("root/law")) } == expected)
            let inside = special == .device ? "root/law/\(name)" + Self.refusal : expected
            #expect(outcome("root/law") == inside)
            try files.removeItem(atPath: path("root/law"))
        }
        guard special != .directory else { return }
        try make(special, at: "root/special")
        let expected =
            "root/special: \(noun), not a regular file: adapters are read from regular files only"
        #expect(reading.failure { _ = try reading.read(path: path("root/special")) } == expected)
        for name in ["arrow_config.json", "task0/adapter_config.json"] {
            try MixtureFixture(.arrow).write(to: reading.directory, name: "root/mix")
            try make(special, at: "root/mix/" + name)
            let text = reading.failure { _ = try reading.read(path: path("root/mix")) }
            #expect(
                text.contains(noun) || text.contains("not inside the directory"), "\(text)")
            try files.removeItem(atPath: path("root/mix"))
        }
    }

    // MARK: Between check and use

    /// Exchanges two paths for as long as it lives.
    private final class Swapping: Sendable {
        private let isOver = Atomic(false)
        private let done = DispatchSemaphore(value: 0)

        init(_ name: String, between first: String, and second: String) {
            Thread.detachNewThread { [self] in
                let (one, other) = (name + ".1", name + ".2")
                while !isOver.load(ordering: .relaxed) {
                    symlink(first, one)
                    rename(one, name)
                    symlink(second, other)
                    rename(other, name)
                }
                done.signal()
            }
        }

        func end() {
            isOver.store(true, ordering: .relaxed)
            done.wait()
        }
    }

    @Test(arguments: ["root/law", "root/law/adapter_model.safetensors", "root/sub"])
    func exchangedLinksNeverLeadOut(name: String) throws {
        let inside = try adapter("inside"), outside = try adapter("outside", seed: 90)
        let registry = AdapterRegistry(base: reading.base)
        let hash = try registry.load(name: "inside", path: inside).hash
        let other = try registry.load(name: "outside", path: outside).hash
        // The right one lies in the root under another name.
        try files.moveItem(atPath: inside, toPath: path("root/kept"))
        var loaded = "root/law"
        switch name {
        case "root/law": break
        case "root/sub":
            try files.createDirectory(
                atPath: path("root/folder"), withIntermediateDirectories: true)
            try files.moveItem(atPath: path("root/kept"), toPath: path("root/folder/law"))
            try files.createDirectory(atPath: path("far"), withIntermediateDirectories: true)
            try files.moveItem(atPath: outside, toPath: path("far/law"))
            loaded = "root/sub/law"
        default:
            try files.copyItem(atPath: path("root/kept"), toPath: path("root/law"))
            try files.removeItem(atPath: path(name))
        }
        let (first, second) =
            switch name {
            case "root/law": (path("root/kept"), outside)
            case "root/sub": (path("root/folder"), path("far"))
            default:
                (
                    path("root/kept/adapter_model.safetensors"),
                    outside + "/adapter_model.safetensors"
                )
            }
        try link(name, to: first)
        let swapping = Swapping(path(name), between: first, and: second)
        defer { swapping.end() }
        var served = 0
        for _ in 0..<3000 {
            guard
                let listing = try? registry.load(
                    name: "a", path: path(loaded), root: path("root"))
            else { continue }
            #expect(listing.hash == hash && listing.hash != other)
            served += 1
        }
        #expect(served > 0 && served < 3000, "served \(served) times")
    }

    /// An idle adapter comes back under the rule that it was loaded under.
    @Test func whatComesBackLiesInside() throws {
        let registry = AdapterRegistry(base: reading.base)
        let inside = try adapter("root/law")
        try registry.load(name: "a", path: inside, root: path("root"))
        try registry.lease([SelectionEntry(name: "a")]).release()
        registry.dropIdle()
        #expect(registry.memory.residentCount == 0)
        // The same bytes, elsewhere.
        try files.moveItem(atPath: inside, toPath: path("moved"))
        try link("root/law", to: path("moved"))
        #expect(throws: AdapterError.outsideRoot(path: inside)) {
            try registry.lease([SelectionEntry(name: "a")])
        }
    }
}
