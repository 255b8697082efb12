internal import Transformer

/// Arrow: each token goes to the LoRA experts whose strongest input direction it points along.
///
/// PEFT builds its router anew in every program and saves none. Graft reads a directory that names
/// the experts, which lie in PEFT directories below it:
///
///     arrow_config.json   {"experts": ["task0", …], "top_k": 3, "router_temperature": 1.0,
///                          "rng_seed": 7, "use_gks": true, "general": ["general0", …]}
///
/// With `use_gks` the mean of the general experts' factors is subtracted from those of the others.
/// An expert's prototype is the strongest right singular vector of B A, by 15 power iterations from
/// a vector that `rng_seed` gives.
///
/// **Source**: arXiv 2405.11157; general knowledge subtraction, ACL 2025 short 54; PEFT 0.21's
/// `create_arrow_model`.
enum Arrow {
    static let peftType = "ARROW"
    static let configurationName = "arrow_config.json"
    private static let iterationCount = 15
    private static let smallest: Double = 1e-8

    private struct Settings {
        let expertCount: Int
        let chosenCount: Int
        let temperature: Float
        let seed: UInt64
        var warnings: [String] = []
    }

    /// Where the experts lie, those that are routed between first.
    static func places(
        _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> [Mixture.Place] {
        var configuration = configuration
        var places: [Mixture.Place] = []
        for setting in ["experts", "general"] {
            for name in try configuration.texts(setting) ?? [] {
                places.append(Mixture.Place(setting: setting, name: name, paths: [name]))
            }
        }
        return places
    }

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let settings = try settings(&configuration)
        guard !file.experts.isEmpty else { throw Mixture.expertsLeftOut(configuration.file) }
        if let stray = file.tensors.first {
            throw .unknownTensor(
                stray.name,
                reason:
                    "Arrow makes its router of its experts' factors and has no tensors of its own",
                file: file.tensorFile)
        }
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: ["format"], strict: context.options.strict)
        let factors = try ExpertFactors(file.experts.map(\.file), context)
        var operators = AdapterOperators()
        for slot in factors.slots {
            let module = context.base.slots.name(of: .linear(slot))
            var experts: [PlainLoRA.Factors] = []
            for (expert, file) in zip(factors.experts, file.experts) {
                experts.append(try require(expert[slot], like: experts.first, module, file))
            }
            operators.linear[slot] = [.update(map(experts, settings))]
        }
        return CompiledAdapter(
            operators: operators, parameterCount: factors.parameterCount,
            warnings: warnings + settings.warnings + factors.warnings,
            targets: TargetSummary.text(operators, slots: context.base.slots))
    }

    private static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let names = try configuration.texts("experts") ?? []
        guard !names.isEmpty else { throw .missingSetting("experts", file: configuration.file) }
        let general = try configuration.texts("general") ?? []
        let subtracts = try configuration.flag("use_gks")
        guard subtracts != general.isEmpty else {
            throw .invalidSetting(
                "use_gks", value: "\(subtracts)",
                expected: subtracts
                    ? "false, or general experts in 'general'"
                    : "true where 'general' names general experts", file: configuration.file)
        }
        let temperature = try configuration.number("router_temperature", standard: 1)
        guard temperature > 0 else {
            throw .invalidSetting(
                "router_temperature", value: "\(temperature)", expected: "a number above 0",
                file: configuration.file)
        }
        let hasSeed = configuration.value("rng_seed") != nil
        let chosen = try configuration.optionalCount("top_k", limit: names.count)
        return Settings(
            expertCount: names.count, chosenCount: chosen ?? min(3, names.count),
            temperature: Float(temperature),
            seed: try configuration.seed("rng_seed", standard: 0),
            warnings: hasSeed
                ? []
                : [
                    "\(configuration.file): without 'rng_seed' PEFT's routers begin with other "
                        + "numbers in each program; 0 is taken"
                ])
    }

    /// PEFT stacks the experts' factors, so that all have the same modules and ranks.
    private static func require(
        _ factors: PlainLoRA.Factors?, like first: PlainLoRA.Factors?, _ module: String,
        _ expert: Mixture.Expert
    ) throws(AdapterError) -> PlainLoRA.Factors {
        let name = TunerTensors.prefix + module + TensorPart.factorA.suffix
        guard let factors else {
            throw .missingTensor(
                name, reason: "another expert changes '\(module)', and all must",
                file: expert.file.tensorFile)
        }
        guard let first, first.rank != factors.rank else { return factors }
        throw .wrongShape(
            tensor: name, expected: [first.rank, first.inputCount],
            found: [factors.rank, factors.inputCount],
            reason: "the other experts' factors have rank \(first.rank)",
            file: expert.file.tensorFile)
    }

    /// - Parameter experts: those that are routed between, then general ones.
    private static func map(_ experts: [PlainLoRA.Factors], _ settings: Settings) -> ExpertMap {
        let general = experts[settings.expertCount...]
        let routed = experts[..<settings.expertCount].map {
            PlainLoRA.Factors(
                a: less(general.map(\.a), from: $0.a), b: less(general.map(\.b), from: $0.b),
                rank: $0.rank, inputCount: $0.inputCount, outputCount: $0.outputCount,
                scaling: $0.scaling, isEmbedding: false)
        }
        return ExpertMap(
            routed.map { $0.map() },
            gates: .router(
                PrototypeRouter(
                    prototypes: routed.flatMap { prototype($0, seed: settings.seed) },
                    expertCount: routed.count, chosenCount: settings.chosenCount,
                    temperature: settings.temperature)))
    }

    /// Values less the mean of others.
    private static func less(_ others: [[Float]], from values: [Float]) -> [Float] {
        guard !others.isEmpty else { return values }
        return values.indices.map { index in
            values[index]
                - others.reduce(Float(0)) { $0 + $1[index] } / Float(others.count)
        }
    }

    /// v ← Aᵀ Bᵀ B A v, of length 1 after each time. **Shape**: [inputCount].
    private static func prototype(_ factors: PlainLoRA.Factors, seed: UInt64) -> [Float] {
        let (rank, width) = (factors.rank, factors.inputCount)
        var squares = [Double](repeating: 0, count: rank * rank)
        for output in 0..<factors.outputCount {
            let row = factors.b[output * rank..<(output + 1) * rank].map(Double.init)
            for i in 0..<rank { for j in 0..<rank { squares[i * rank + j] += row[i] * row[j] } }
        }
        let a = factors.a.map(Double.init)
        var generator = TorchGenerator(seed: seed)
        var vector = unit(generator.normal(count: width, deviation: 1).map(Double.init))
        for _ in 0..<iterationCount {
            let inner = (0..<rank).map { i in
                (0..<width).reduce(0) { $0 + a[i * width + $1] * vector[$1] }
            }
            let factor = (0..<rank).map { i in
                (0..<rank).reduce(0) { $0 + squares[i * rank + $1] * inner[$1] }
            }
            vector = unit(
                (0..<width).map { k in (0..<rank).reduce(0) { $0 + a[$1 * width + k] * factor[$1] }
                })
        }
        return vector.map { Float($0) }
    }

    private static func unit(_ vector: [Double]) -> [Double] {
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot() + smallest
        return vector.map { $0 / length }
    }
}
