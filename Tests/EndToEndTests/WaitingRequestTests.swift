import Adapters
import Engine
import Foundation
import Kernels
import Logging
import Serving
import StrictJSON
import Synchronization
import Testing

/// Requests of the line protocol that wait for memory for their adapters, in a real server without
/// sockets.
struct WaitingRequestTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: String) { lines.withLock { $0.append(line) } }
        func events() throws -> [JSONObject] {
            try lines.withLock { $0 }.compactMap { try JSONValue(parsing: $0).objectValue }
        }
    }

    private let registry: AdapterRegistry
    private let service: Service
    private let session: LineSession
    private let lines = Lines()

    /// There is memory for one adapter.
    init() throws {
        let base = try GoldenTests.base("tiny-llama")
        let measuring = AdapterRegistry(base: base)
        let limit = try ["medicine", "law"].map {
            try measuring.memoryByteCounts(of: Checkout.adapter($0)).reading
        }.max()
        registry = AdapterRegistry(base: base, settings: .init(memoryByteCountLimit: limit))
        for name in ["medicine", "law"] {
            try registry.register(name: name, path: Checkout.adapter(name))
        }
        var configuration = EngineConfiguration()
        configuration.keyValueByteCount = 32 << 20
        let engine = GenerationEngine(
            base: base, pool: WorkerPool(threadCount: 1), configuration: configuration)
        service = Service(
            context: ServerContext(
                generator: engine, adapters: registry, tokenizer: nil,
                logger: Logger(label: "graft") { _ in SwiftLogNoOpLogHandler() }))
        session = service.makeSession(rights: .owner) { [lines] in lines.append($0) }
    }

    private func receive(_ line: String) { session.receive(.line(Array(line.utf8))) }

    private func request(_ id: Int, _ adapter: String) -> String {
        #"{"id":\#(id),"tokens":[1,2,3],"adapter":"\#(adapter)","max_tokens":2,"stream":false}"#
    }

    /// The last event of a request.
    private func end(_ id: Int) async throws -> JSONObject {
        var found: JSONObject?
        try await waitUntil {
            found = try? lines.events().last { $0["id"]?.intValue == id }
            return found != nil
        }
        return try #require(found)
    }

    private func hold(_ name: String) throws -> SelectionLease {
        try registry.lease([SelectionEntry(name: name)])
    }

    private func expectNothingLeft() async throws {
        try await waitUntil { registry.liveCounts == (0, 0) }
        #expect(registry.memory.waitingCount == 0)
        #expect(registry.list().allSatisfy { $0.inUseCount == 0 })
        await service.drain()
    }

    @Test func aCancelledRequestMakesWay() async throws {
        let lease = try hold("medicine")
        receive(request(1, "law"))
        receive(request(2, "law"))
        try await waitUntil { registry.memory.waitingCount == 2 }
        receive(request(1, "medicine"))
        #expect(try await end(1)["code"] == .string("duplicate_id"))
        receive(#"{"op":"cancel","id":1}"#)
        try await waitUntil { registry.memory.waitingCount == 1 }
        try await waitUntil { (try? lines.events().count) == 2 }
        #expect(try await end(1)["finish_reason"] == .string("cancelled"))
        // Its id is free again.
        receive(request(1, "medicine"))
        lease.release()
        for id in [1, 2] { #expect(try await end(id)["event"] == .string("done")) }
        try await waitUntil { session.isIdle }
        #expect(registry.memory.loadCount >= 2)
        try await expectNothingLeft()
    }

    @Test func aRequestWhoseTimeIsOverMakesWay() async throws {
        let lease = try hold("medicine")
        let line = request(1, "law").dropLast() + #","timeout_ms":20}"#
        receive(String(line))
        #expect(try await end(1)["finish_reason"] == .string("timeout"))
        try await waitUntil { registry.memory.waitingCount == 0 }
        lease.release()
        #expect(registry.memory.loadCount == 1)
        try await expectNothingLeft()
    }

    @Test func aClientThatLeavesMakesWay() async throws {
        let lease = try hold("medicine")
        receive(request(1, "law"))
        receive(#"{"op":"detokenize","id":2,"tokens":[1],"adapter":"law"}"#)
        try await waitUntil { registry.memory.waitingCount == 2 }
        session.close()
        try await waitUntil { registry.memory.waitingCount == 0 }
        try await waitUntil { session.isIdle }
        lease.release()
        #expect(registry.memory.loadCount == 1)
        try await expectNothingLeft()
    }

    @Test func shuttingDownForGoodWaitsForNoMemory() async throws {
        let lease = try hold("medicine")
        receive(request(1, "law"))
        try await waitUntil { registry.memory.waitingCount == 1 }
        service.abort()
        #expect(try await end(1)["code"] == .string("shutting_down"))
        try await waitUntil { registry.memory.waitingCount == 0 }
        await service.drain()
        lease.release()
        try await expectNothingLeft()
    }

    @Test func anAnswerIsThatOfTheNameAtItsAcceptance() async throws {
        let hashes = try ["medicine", "law"].map { name in
            try AdapterRegistry(base: registry.base).load(
                name: name, path: Checkout.adapter(name)
            ).hash
        }
        let lease = try hold("medicine")
        receive(request(1, "law"))
        try await waitUntil { registry.memory.waitingCount == 1 }
        receive(#"{"op":"unload_adapter","id":2,"name":"law"}"#)
        receive(request(3, "law"))
        #expect(try await end(3)["code"] == .string("adapter_not_found"))
        try registry.register(name: "law", path: Checkout.adapter("medicine"))
        #expect(try lines.events().count == 1)
        lease.release()
        let answer = try await end(1)
        #expect(answer["event"] == .string("done"))
        let adapter = answer["adapter"]?.arrayValue?.first?.objectValue
        #expect(adapter?["name"] == .string("law"))
        #expect(adapter?["hash"] == .string(hashes[1]))
        #expect(try await end(2)["event"] == .string("adapter_unloaded"))
        receive(request(4, "law"))
        let later = try await end(4)["adapter"]?.arrayValue?.first?.objectValue
        #expect(later?["hash"] == .string(hashes[0]))
        try await expectNothingLeft()
    }
}
