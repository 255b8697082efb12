import Foundation
import StrictJSON
import Testing

/// The unit for systemd that the repository shows.
struct GraftServiceTests {
    private static let analyzer = "/usr/bin/systemd-analyze"

    private func unit() throws -> String {
        try String(contentsOfFile: Checkout.path("configs/graft.service"), encoding: .utf8)
    }

    /// The words of `ExecStart`, without the program.
    private func arguments() throws -> [String] {
        let text = try unit().replacingOccurrences(of: "\\\n", with: " ")
        let line = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        return line.split(separator: " ").dropFirst().map(String.init)
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: analyzer)))
    func systemdHasNothingToSayAgainstIt() throws {
        let folder = try TemporaryDirectory()
        let (file, errors) = (folder.file("graft.service"), folder.file("errors"))
        try unit().replacingOccurrences(of: "/usr/local/bin/graft", with: Checkout.executable)
            .write(toFile: file, atomically: true, encoding: .utf8)
        try Data().write(to: URL(fileURLWithPath: errors))
        let analysis = try ChildProcess(
            Self.analyzer, ["verify", file], output: errors, errors: errors)
        #expect(analysis.waitUntilExit(seconds: 60) == 0)
        let found = try String(contentsOfFile: errors, encoding: .utf8)
        #expect(!found.contains("graft.service"), "\(found)")
    }

    @Test func itsCommandServes() throws {
        let places = [
            "/srv/graft/model.bin": Checkout.model("tiny-llama"),
            "law=/srv/graft/adapters/law.lora": "law=" + Checkout.adapter("law"),
            "medicine=/srv/graft/adapters/medicine.lora": "medicine="
                + Checkout.adapter("medicine"),
            "/srv/graft/adapters": Checkout.path("Tests/Goldens/adapters"),
            "/run/graft/graft.sock": "SOCKET", "127.0.0.1:7860": "127.0.0.1:0", "2G": "64M",
        ]
        let arguments = try arguments()
        #expect(Set(places.keys).isSubset(of: arguments))
        let server = try LoggedGraft(arguments.dropFirst().map { places[$0] ?? $0 })
        let client = try server.connect()
        let adapters = try client.ask(#"{"op":"list_adapters"}"#)["adapters"]?.arrayValue
        #expect(adapters?.count == 2)
        let attributes = try FileManager.default.attributesOfItem(atPath: server.socket)
        #expect(attributes[.posixPermissions] as? Int == 0o660)
        let tcp = try UnixClient(port: try server.port())
        #expect(try tcp.ask(#"{"op":"shutdown"}"#)["code"]?.stringValue == "not_permitted")
        server.process.terminate()
        #expect(server.process.waitUntilExit(seconds: 60) == 0)
    }
}
