import Glibc
import Serving
import Testing
import Transports

@Suite struct StdioTransportTests {
    /// A pipe's ends.
    private struct Pipe {
        let read: Int32
        let write: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            _ = pipe(&ends)
            (read, write) = (ends[0], ends[1])
        }

        func send(_ text: String) {
            var bytes = Array(text.utf8)
            _ = Glibc.write(write, &bytes, bytes.count)
        }

        /// Everything until the writing end is closed.
        func readAll() -> String {
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = Glibc.read(read, &buffer, buffer.count), count > 0 {
                text += buffer[..<count]
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    private func run(_ service: EchoService, _ input: Pipe, _ output: Pipe) -> StdioTransport {
        signal(SIGPIPE, SIG_IGN)
        return StdioTransport(
            service: service, inputDescriptor: input.read, outputDescriptor: output.write)
    }

    @Test func answersEverythingUntilTheEndOfInput() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start { service.requestShutdown() }
        input.send("one\r\n\ntwo\nunterminated")
        close(input.write)
        await service.shutdownRequested()
        await transport.finish()
        close(output.write)
        #expect(output.readAll() == "one\ntwo\nunterminated\n")
    }

    @Test func waitsForAnswersAfterTheEndOfInput() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start { service.requestShutdown() }
        input.send("hold\n")
        close(input.write)
        #expect(await eventually { service.connections[0].lines == ["hold"] })
        service.connections[0].answerHeld()
        await service.shutdownRequested()
        await transport.finish()
        close(output.write)
        #expect(output.readAll() == "held\n")
    }

    @Test func endsWhileInputIsStillOpenAndTakesNoHalfLine() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start {}
        input.send("one\nhalf a li")
        #expect(await eventually { service.connections[0].lines == ["one"] })
        await transport.finish()
        close(output.write)
        #expect(output.readAll() == "one\n")
        #expect(service.connections[0].lines == ["one"])
    }

    @Test func closesTheConnectionWhenTheReaderIsGone() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start { service.requestShutdown() }
        close(output.read)
        input.send("one\n")
        #expect(await eventually { service.connections[0].isClosed })
        await service.shutdownRequested()
        await transport.finish()
    }

    @Test func survivesAReaderThatIsLate() async {
        let (input, output) = (Pipe(), Pipe())
        let flags = fcntl(output.write, F_GETFL)
        _ = fcntl(output.write, F_SETFL, flags | O_NONBLOCK)
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start { service.requestShutdown() }
        let line = String(repeating: "x", count: 900) + "\n"
        let lineCount = 500
        await apart {
            for _ in 0..<lineCount { input.send(line) }
            close(input.write)
        }
        async let reader = apart { output.readAll() }
        await service.shutdownRequested()
        await transport.finish()
        close(output.write)
        let text = await reader
        #expect(text == String(repeating: line, count: lineCount))
    }

    @Test func reportsALineThatIsTooLong() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start { service.requestShutdown() }
        input.send(String(repeating: "x", count: 3000) + "\ngood\n")
        close(input.write)
        await service.shutdownRequested()
        await transport.finish()
        close(output.write)
        #expect(output.readAll() == "too long\ngood\n")
    }

    /// The thread is in a write that never ends, and so is what reads lines.
    @Test func endsAlthoughTheReaderTakesNothing() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService(
            bounds: ServingConfiguration(maximumLineByteCount: 1 << 20))
        let transport = run(service, input, output)
        transport.start {}
        let line = String(repeating: "x", count: 900_000) + "\n"
        async let writer: Void = apart { for _ in 0..<4 { input.send(line) } }
        #expect(await eventually { service.connections[0].lines.count >= 2 })
        let isComplete = await transport.finish(deadline: {
            try? await Task.sleep(for: .milliseconds(100))
        })
        #expect(!isComplete)
        close(input.read)
        await writer
    }

    @Test func saysThatAllIsWritten() async {
        let (input, output) = (Pipe(), Pipe())
        let service = EchoService()
        let transport = run(service, input, output)
        transport.start {}
        input.send("one\n")
        #expect(await eventually { service.connections[0].lines == ["one"] })
        #expect(await transport.finish())
        close(output.write)
        #expect(output.readAll() == "one\n")
    }
}
