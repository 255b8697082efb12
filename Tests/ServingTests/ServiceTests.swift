import Serving
import Testing

@Suite struct ServiceTests {
    @Test func wakesEveryoneWhoAwaitsTheShutdown() async {
        let service = Desk().service
        async let first: Void = service.shutdownRequested()
        async let second: Void = service.shutdownRequested()
        service.requestShutdown()
        service.requestShutdown()
        await first
        await second
        await service.shutdownRequested()
        #expect(service.isShuttingDown)
        #expect(!service.isAborted)
    }

    @Test func abortsTheGenerator() {
        let desk = Desk()
        desk.service.abort()
        #expect(desk.generator.isAborted)
        #expect(desk.service.isAborted)
        #expect(desk.service.isShuttingDown)
    }
}
