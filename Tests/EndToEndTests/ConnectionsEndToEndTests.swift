import Foundation
import Glibc
import StrictJSON
import Testing

/// Who may do what where, and what many clients can't do, with the real program.
struct ConnectionsEndToEndTests {
    private let base = [
        "--base", Checkout.model("tiny-llama"), "--adapter", "law=" + Checkout.adapter("law"),
    ]

    private func load(_ path: String) -> String {
        #"{"op":"load_adapter","id":1,"name":"more","path":"\#(path)"}"#
    }

    @Test func clientsOfTCPUseWhatIsThereAndAdministerNothing() throws {
        let server = try LoggedGraft(["--listen", "127.0.0.1:0", "--socket", "SOCKET"] + base)
        let client = try UnixClient(port: try server.port())
        client.send(#"{"id":1,"tokens":[1,5],"adapter":"law","max_tokens":3,"ignore_eos":true}"#)
        #expect(try client.answer(1)?.tokens.count == 3)
        for line in [
            load(Checkout.adapter("medicine")), #"{"op":"unload_adapter","id":1,"name":"law"}"#,
            #"{"op":"merge_adapter","id":1,"name":"law"}"#,
            #"{"op":"unmerge_adapter","id":1,"name":"law"}"#, #"{"op":"shutdown","id":1}"#,
        ] {
            #expect(try client.ask(line)["code"]?.stringValue == "not_permitted", "\(line)")
        }
        let owner = try server.connect()
        #expect(
            try owner.ask(load(Checkout.adapter("medicine")))["event"]?.stringValue
                == "adapter_loaded")
        owner.send(#"{"op":"shutdown"}"#)
        #expect(server.process.waitUntilExit(seconds: 60) == 0)
    }

    /// What a web page can send, body and all.
    @Test func aWebPageCanNotAskForAnything() throws {
        let server = try LoggedGraft(["--listen", "127.0.0.1:0", "--tcp-admin"] + base)
        let port = try server.port()
        let page = try UnixClient(port: port)
        page.send(
            text: "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n\r\n"
                + "{\"op\":\"shutdown\"}\n")
        #expect(try page.next()?["code"]?.stringValue == "bad_json")
        #expect(try page.next() == nil)
        let client = try UnixClient(port: port)
        #expect(try client.ask(#"{"op":"stats"}"#)["event"]?.stringValue == "stats")
        try server.waitForLog("doesn't speak the line protocol")
    }

    @Test func clientsOfTCPAdministerWhereThatIsGranted() throws {
        let root = Checkout.path("Tests/Goldens/adapters")
        let server = try LoggedGraft(
            ["--listen", "127.0.0.1:0", "--tcp-admin", "--adapter-root", root] + base)
        let client = try UnixClient(port: try server.port())
        #expect(
            try client.ask(load(Checkout.adapter("medicine")))["event"]?.stringValue
                == "adapter_loaded")
        for path in [Checkout.path("models"), root + "/../combining", "/etc/passwd"] {
            #expect(try client.ask(load(path))["code"]?.stringValue == "adapter_invalid", "\(path)")
        }
        #expect(
            try client.ask(#"{"op":"merge_adapter","name":"law"}"#)["event"]?.stringValue
                == "adapter_merged")
        client.send(#"{"op":"shutdown"}"#)
        #expect(server.process.waitUntilExit(seconds: 60) == 0)
    }

    @Test func clientsOfTCPLoadNothingWithoutADirectoryForIt() throws {
        let server = try LoggedGraft(["--listen", "127.0.0.1:0", "--tcp-admin"] + base)
        let client = try UnixClient(port: try server.port())
        let refused = try client.ask(load(Checkout.adapter("medicine")))
        #expect(refused["code"]?.stringValue == "adapter_invalid")
        #expect(refused["message"]?.stringValue?.contains("--adapter-root") == true)
    }

    @Test func theDirectoryHoldsForClientsOfUnixSocketsToo() throws {
        let root = Checkout.path("Tests/Goldens/adapters")
        let server = try LoggedGraft(["--socket", "SOCKET", "--adapter-root", root] + base)
        let client = try server.connect()
        #expect(
            try client.ask(load(Checkout.adapter("medicine")))["event"]?.stringValue
                == "adapter_loaded")
        #expect(
            try client.ask(load(Checkout.path("Tests/Goldens/combining")))["code"]?.stringValue
                == "adapter_invalid")
    }

    @Test func theSocketHasTheModeAndGroupThatAreAskedFor() throws {
        let server = try LoggedGraft(
            ["--socket", "SOCKET", "--socket-mode", "0660", "--socket-group", "\(getegid())"]
                + base)
        _ = try server.connect()
        let attributes = try FileManager.default.attributesOfItem(atPath: server.socket)
        #expect(attributes[.posixPermissions] as? Int == 0o660)
    }

    /// Fewer descriptors than clients: they are told so, those who are in stay, adapters are read,
    /// and nothing spins.
    @Test func descriptorsAreLeftForAdapters() throws {
        let server = try LoggedGraft(["--socket", "SOCKET"] + base, descriptorLimit: 96)
        let first = try server.connect()
        _ = try first.ask(#"{"op":"stats"}"#)
        let limit = try connectionLimit(server)
        #expect((24...32).contains(limit))
        let clients = try (0..<80).map { _ in try server.connect() }
        var refusedCount = 0
        for client in clients {
            client.send(#"{"op":"tokenize","id":1,"text":"a"}"#)
            if try client.next()?["code"]?.stringValue == "overloaded" { refusedCount += 1 }
        }
        #expect(refusedCount == 80 - (limit - 1))
        #expect(
            try first.ask(load(Checkout.adapter("medicine")))["event"]?.stringValue
                == "adapter_loaded")
        let log = try server.log()
        #expect(log.components(separatedBy: "too many connections").count == 2)
        server.process.terminate()
        #expect(server.process.waitUntilExit(seconds: 60) == 0)
    }

    private func connectionLimit(_ server: LoggedGraft) throws -> Int {
        let warning = try server.waitForLog("descriptors allow fewer connections")
        let digits = warning.components(separatedBy: "connections=")[1].prefix { $0.isNumber }
        return try #require(Int(digits))
    }

    /// What a process was started with counts against its limit, so that no client waits for a
    /// descriptor that never comes.
    @Test func inheritedDescriptorsLeaveFewerForClients() throws {
        let limits = try [false, true].map { inherits in
            try connectionLimit(
                LoggedGraft(
                    ["--socket", "SOCKET"] + base, descriptorLimit: 96,
                    inheritsDescriptors: inherits))
        }
        // Tests beside this one open and close files while the two are started.
        #expect((4...10).contains(limits[0] - limits[1]), "\(limits)")
    }

    /// Not even one descriptor for a client: accepting fails, is logged once, and works again
    /// later.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/prlimit")))
    func withoutDescriptorsItWaitsAndGoesOn() throws {
        let server = try LoggedGraft(
            ["--socket", "SOCKET", "--max-connections", "1"] + base, descriptorLimit: 96)
        let first = try server.connect()
        _ = try first.ask(#"{"op":"stats"}"#)
        // From outside, as if adapters had taken the others.
        func limit(to count: Int) throws {
            let change = try ChildProcess(
                "/usr/bin/prlimit",
                ["--pid", "\(server.process.identifier)", "--nofile=\(count):96"])
            #expect(change.waitUntilExit() == 0)
        }
        let table = "/proc/\(server.process.identifier)/fd"
        let numbers = try FileManager.default.contentsOfDirectory(atPath: table).compactMap(
            Int.init)
        try limit(to: numbers.count)
        let second = try server.connect()
        try server.waitForLog("can't accept clients")
        let before = try server.processorTicks()
        usleep(1_500_000)
        #expect(try server.processorTicks() - before < 50)
        #expect(try server.log().components(separatedBy: "can't accept clients").count == 2)
        #expect(try first.ask(#"{"op":"stats"}"#)["event"]?.stringValue == "stats")
        try limit(to: 96)
        #expect(try second.next()?["code"]?.stringValue == "overloaded")
    }

    @Test func anAddressIsReadBeforeTheBaseIs() throws {
        for arguments in [
            ["--listen", "nonsense"], ["--socket-mode", "9"], ["--socket-group", "no-such-group"],
            ["--max-connections", "0"], ["--idle-timeout=-1"], ["--connection-memory", "much"],
        ] {
            let finished = try GraftProcess.run(["serve", "--base", "/nowhere"] + arguments)
            #expect(finished.status == 64)
            let option = try #require(arguments[0].split(separator: "=").first)
            #expect(finished.errors.contains(option), "\(finished.errors)")
            #expect(!finished.errors.contains("/nowhere"))
        }
    }

    /// A name with line ends and commands for terminals stays in its line.
    @Test func logLinesCanNotBeForged() throws {
        let folder = try TemporaryDirectory()
        let path = folder.file("forged")
        try FileManager.default.copyItem(atPath: Checkout.adapter("law"), toPath: path)
        let file = URL(fileURLWithPath: path + "/adapter_config.json")
        var text = try String(contentsOf: file, encoding: .utf8)
        let brace = try #require(text.firstIndex(of: "{"))
        text.insert(
            contentsOf: #""x\n2026-01-01T00:00:00 error forged: \u001b[2J": 1,"#,
            at: text.index(after: brace))
        try text.write(to: file, atomically: true, encoding: .utf8)
        let server = try LoggedGraft(["--socket", "SOCKET"] + base)
        let client = try server.connect()
        #expect(
            try client.ask(load(path))["event"]?.stringValue == "adapter_loaded")
        let log = try server.waitForLog("forged:")
        #expect(!log.contains("\u{1B}"))
        #expect(!log.split(separator: "\n").contains { $0.hasPrefix("2026-01-01") })
        #expect(log.contains(#"x\u{a}2026"#))
    }
}
