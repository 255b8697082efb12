internal import Foundation
public import Serving

/// The line protocol on two file descriptors, standard input and output in general.
public final class StdioTransport: Sendable {
    /// Outgoing bytes from which on no more lines are read until the reader catches up.
    private static let pauseByteCount = 1 << 20

    private let service: any LineService
    private let connection: any LineConnection
    private let input: InterruptibleInput
    private let output: OutputQueue
    /// Raised when everything that was accepted is answered.
    private let answered = AsyncFlag()

    /// - Parameters:
    ///   - rights: what the client may ask for.
    ///   - onOverflow: called when the reader is gone or takes too little.
    public init(
        service: any LineService, rights: ClientRights = .owner,
        onOverflow: @escaping @Sendable () -> Void = {},
        inputDescriptor: Int32 = 0, outputDescriptor: Int32 = 1
    ) {
        let input = InterruptibleInput(descriptor: inputDescriptor)
        let failure = FailureForwarder()
        let output = OutputQueue(
            descriptor: outputDescriptor, limit: service.bounds.maximumOutgoingByteCount
        ) {
            input.interrupt()
            failure.forward()
            onOverflow()
        }
        self.service = service
        self.input = input
        self.output = output
        connection = service.makeConnection(rights: rights) { output.write($0) }
        failure.set(connection)
    }

    /// Reads on a thread of its own until the end of input.
    ///
    /// - Parameter completion: called once everything that was accepted is answered.
    public func start(completion: @escaping @Sendable () -> Void) {
        let thread = Thread {
            self.readLines()
            self.connection.endInput {
                self.answered.raise()
                completion()
            }
        }
        thread.name = "graft-input"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// After `start`: reads no more lines, and returns when every answer is written.
    ///
    /// - Parameter deadline: when this returns, what the reader hasn't taken is given up.
    /// - Returns: false when something was given up.
    @discardableResult
    public func finish(
        deadline: @escaping @Sendable () async -> Void = {
            try? await Task.sleep(for: .seconds(1 << 30))
        }
    ) async -> Bool {
        input.interrupt()
        output.release()
        let timer = Task { [answered, output] in
            await deadline()
            guard !Task.isCancelled else { return false }
            answered.raise()
            return output.abandon()
        }
        await answered.wait()
        await output.finish()
        timer.cancel()
        return await !timer.value
    }

    private func readLines() {
        var framer = LineFramer(limit: service.bounds.maximumLineByteCount)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            output.waitForRoom(byteCount: Self.pauseByteCount)
            // An interruption may cut a line in two, which then is no request.
            guard let count = input.read(into: buffer) else { return }
            guard count > 0 else { break }
            framer.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                connection.receive($0)
            }
        }
        framer.finish { connection.receive($0) }
    }
}
