import Foundation
import StrictJSON
import Testing

/// Adapters that come and go for hours.
struct AdapterChurnTests {
    private func residentByteCount(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return try #require(pages) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private func descriptorCount(_ process: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    @Test func threeHundredRoundsLeaveMemoryAndDescriptorsAsTheyWere() throws {
        let server = try RunningGraft(["--base", Checkout.model("tiny-llama")])
        let request =
            #""tokens":[1,40,300],"adapter":"x","max_tokens":32,"ignore_eos":true,"stream":false"#
        var before: (byteCount: Int, descriptorCount: Int)?
        for round in 1...300 {
            let path = Checkout.adapter(round % 2 == 0 ? "law" : "medicine")
            let loaded = try server.ask(
                #""op":"load_adapter","name":"x","path":"\#(path)""#)
            #expect(loaded["event"] == .string("adapter_loaded"))
            for timeout in ["", #","timeout_ms":1"#, ""] {
                #expect(try server.ask(request + timeout)["event"] == .string("done"))
            }
            let unloaded = try server.ask(#""op":"unload_adapter","name":"x""#)
            #expect(unloaded["event"] == .string("adapter_unloaded"))
            if round == 60 {
                before = (
                    try residentByteCount(server.processIdentifier),
                    try descriptorCount(server.processIdentifier)
                )
            }
        }
        let start = try #require(before)
        let growth = try residentByteCount(server.processIdentifier) - start.byteCount
        // Each round reads and packs some 200 KB: what stays of them would be 48 MB.
        #expect(growth < 12 << 20)
        #expect(try descriptorCount(server.processIdentifier) == start.descriptorCount)
        let memory = try server.ask(#""op":"stats""#)["adapter_memory"]?.objectValue
        #expect(memory?["bytes"] == .integer(0))
        try server.stop()
    }
}
