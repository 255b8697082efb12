import Adapters
internal import ArgumentParser
import Engine
import Foundation
import Logging
import Serving
import Transports

/// `graft serve`: requests as JSON lines, from standard input and sockets.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves a base and its adapters over JSON lines.",
        discussion: """
            One JSON object a line, in both directions; docs/protocol.md has every field. Standard input \
            and output are used unless a socket is named; --stdio adds them to sockets. SIGTERM finishes \
            what was accepted and exits with 0, a second one gives it up. Logs go to standard error.

              printf '{"id":1,"prompt":"A contract is","adapter":"law"}\\n' \\
                | graft serve --base model.bin --adapter law=law.lora
            """)

    @OptionGroup var options: BaseOptions
    @OptionGroup var registry: RegistryOptions
    @OptionGroup var connections: ConnectionOptions
    @Option(help: "Memory for keys and values; K, M and G are understood.") var kvMemory = "1G"
    @Option(
        name: [
            .customLong("max-sequences"), .customLong("max-num-seqs"), .customLong("parallel"),
            .customLong("np", withSingleDash: true),
        ], help: "Sequences that are computed at the same time.")
    var maxSequences = 64
    @Option(help: "Requests that may wait beyond those.") var queue = 1024
    @Option(
        name: [
            .customLong("context"), .customLong("ctx-size"), .customLong("max-model-len"),
            .customShort("c"),
        ], help: "Tokens of a sequence (default: what the model was made for).")
    var context: Int?
    @Option(help: "Prompt tokens of one sequence in one step.") var prefillChunk = 256
    @Option(help: "Prompt tokens of all sequences in one step while some generate.")
    var prefillBudget = 64
    @Option(
        help: ArgumentHelp(
            "Tokens of one sequence that a step guesses from its text and verifies; 0 for none.",
            valueName: "count"))
    var draftTokens = 8
    @Option(help: "Whether equal beginnings of prompts are computed once.")
    var prefixCache = OnOff.on
    @Option(help: "What is logged: debug, info, warning or error.") var logLevel = "info"

    func validate() throws {
        if ByteCount(kvMemory) == nil {
            throw ValidationError("--kv-memory is '\(kvMemory)', expected a size as 512M or 2G")
        }
        for (name, value) in [
            ("--max-sequences", maxSequences), ("--prefill-chunk", prefillChunk),
            ("--prefill-budget", prefillBudget), ("--context", context ?? 1),
        ] where value < 1 {
            throw ValidationError("\(name) is \(value), expected 1 or more")
        }
        for (name, value) in [("--queue", queue), ("--draft-tokens", draftTokens)] where value < 0 {
            throw ValidationError("\(name) is \(value), expected 0 or more")
        }
        if Logger.Level(rawValue: logLevel) == nil {
            throw ValidationError(
                "--log-level is '\(logLevel)', expected debug, info, warning or error")
        }
    }

    func run() async throws {
        let logger = makeLogger()
        let endpoints = try connections.endpoints(
            descriptorLimit: DescriptorLimit.raise(), inherited: DescriptorLimit.openCount())
        if endpoints.maximumConnectionCount < connections.maxConnections {
            logger.warning(
                "descriptors allow fewer connections than --max-connections: raise the limit (ulimit -n)",
                metadata: ["connections": "\(endpoints.maximumConnectionCount)"])
        }
        LoadingHeap.begin()
        let adapters = try registry.adapters()
        var registrySettings = registry.settings
        registrySettings.onMergeFailure = { entry, error in
            logger.warning("not merged: \(error)", metadata: ["adapter": "\(entry.name)"])
        }
        let session = try LocalSession(
            options: options, adapters: adapters,
            adapterOptions: AdapterOptions(
                strict: registry.strictAdapters, updateType: registry.updates.type),
            registrySettings: registrySettings,
            onBadAdapter: registry.skipBadAdapters ? { logger.error("left out: \($0)") } : nil,
            configuration: EngineConfiguration(
                maximumRowCount: max(512, prefillChunk), prefillChunk: prefillChunk,
                prefillBudget: prefillBudget, draftTokenCount: draftTokens,
                maximumSequenceCount: maxSequences, queueLimit: queue,
                keyValueByteCount: ByteCount(kvMemory)?.value ?? 1 << 30,
                maximumContext: context, usesPrefixCache: prefixCache == .on))
        for warning in session.warnings { logger.warning("\(options.base): \(warning)") }
        for path in registry.adapterDir where AdapterDirectory.isAdapter(path) {
            logger.warning(
                "\(path): is itself an adapter, and only those in it are served: give --adapter NAME=\(path) for it"
            )
        }
        for adapter in session.registry.list() {
            for warning in adapter.warnings { logger.warning("\(adapter.name): \(warning)") }
        }
        let service = Service(
            context: ServerContext(
                generator: session.engine, adapters: session.registry, tokenizer: session.tokenizer,
                rowCount: session.rowCount, configuration: connections.bounds, logger: logger))
        LoadingHeap.end()
        let signals = ShutdownSignals(service: service)
        let server = Server(service: service, endpoints: endpoints, logger: logger)
        logger.info(
            "serving \(options.base) with \(session.registry.memory.totalCount) adapter(s) on \(options.threadCount) thread(s)"
        )
        if endpoints.usesStandardStreams, isatty(STDIN_FILENO) == 1 {
            writeToStandardError(
                "Waiting for requests from this terminal, one JSON object a line, such as "
                    + #"{"id":1,"prompt":"A contract is"}"# + "; Ctrl-D ends.")
        }
        try await server.run()
        withExtendedLifetime(signals) {}
        if service.isAborted { throw ExitCode.failure }
    }

    private func makeLogger() -> Logger {
        LoggingSystem.bootstrap { PlainLogHandler(StreamLogHandler.standardError(label: $0)) }
        var logger = Logger(label: "graft")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        return logger
    }
}
