import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// What a mixture's files must hold, and what is noticed of its experts.
@Suite struct MixtureTests {
    let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func path(_ name: String) -> String { reading.directory.path + "/" + name }

    private func failure(_ name: String = "mix", strict: Bool = false) -> String {
        reading.failure {
            _ = try reading.read(path: path(name), options: AdapterOptions(strict: strict))
        }
    }

    private func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path(name))
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func itIsServedWithItsExperts(kind: MixtureFixture.Kind) throws {
        let mixture = try reading.read(
            path: MixtureFixture(kind).write(to: reading.directory))
        #expect(mixture.targets == "q_proj")
        #expect(mixture.parameterCount == (kind == .arrow ? 128 : 162))
        #expect(mixture.warnings.isEmpty)
    }

    // MARK: Nothing is left out

    @Test(arguments: MixtureFixture.Kind.allCases)
    func oneFileHasNoExperts(kind: MixtureFixture.Kind) throws {
        var configuration = MixtureFixture(kind).configuration
        configuration["peft_type"] = .string(kind == .arrow ? "ARROW" : "XLORA")
        let text = JSONValue.object(configuration).serialized()
        try FloatTensor.write(
            kind == .arrow ? [] : MixtureFixture.classifier,
            metadata: ["graft.adapter_config": text], to: path("mix.lora"))
        #expect(
            failure("mix.lora")
                == "mix.lora (graft.adapter_config): its experts lie in directories beside it: serve "
                + "its directory")
        // Named or not: without experts the base would answer.
        configuration[kind == .arrow ? "experts" : "adapters"] = nil
        try FloatTensor.write(
            [], metadata: ["graft.adapter_config": JSONValue.object(configuration).serialized()],
            to: path("none.lora"))
        #expect(failure("none.lora").contains("' is missing: this is not a complete PEFT"))
    }

    @Test func anArrowWithoutExpertsIsRefused() throws {
        var fixture = MixtureFixture(.arrow)
        fixture.places = []
        try fixture.write(to: reading.directory)
        #expect(failure().hasPrefix("mix/arrow_config.json: 'experts' is missing"))
    }

    @Test(arguments: [
        "adapter_model.safetensors", "adapter_model.bin", "lora.safetensors", "adapter.safetensors",
    ])
    func weightsBesideAnArrowAreNotLeftOut(name: String) throws {
        try MixtureFixture(.arrow).write(to: reading.directory)
        try FloatTensor.write([FloatTensor("a", [2])], to: path("mix/" + name))
        #expect(
            failure()
                == "mix/arrow_config.json: its experts are all that it is made of, and mix/\(name) "
                + "beside it would be left out: move that file to a directory of its own")
    }

    @Test func tensorsOfAnArrowAreNotLeftOut() throws {
        let fixture = MixtureFixture(.arrow)
        try fixture.write(to: reading.directory)
        try remove("mix/arrow_config.json")
        var configuration = fixture.configuration
        configuration["peft_type"] = .string("ARROW")
        try AtomicFile.write(
            JSONValue.object(configuration).serialized(), to: path("mix/adapter_config.json"))
        try FloatTensor.write(
            [FloatTensor("base_model.model.x", [2])], to: path("mix/adapter_model.safetensors"))
        #expect(
            failure()
                == "mix/adapter_model.safetensors: unexpected tensor 'base_model.model.x': Arrow makes "
                + "its router of its experts' factors and has no tensors of its own")
    }

    @Test func twoConfigurationsAreOneTooMany() throws {
        try MixtureFixture(.arrow).write(to: reading.directory)
        _ = try MixtureFixture.expert(seed: 1).write(to: reading.directory, name: "mix")
        #expect(
            failure()
                == "mix/arrow_config.json: adapter_config.json stands beside it, and an adapter has "
                + "one configuration: remove the one that isn't meant")
    }

    @Test func anArrowHasATokenizerOfItsOwn() throws {
        try MixtureFixture(.arrow).write(to: reading.directory)
        let hash = try reading.read(path: path("mix")).hash
        try AtomicFile.write("{}", to: path("mix/tokenizer_config.json"))
        #expect(try reading.read(path: path("mix")).hash != hash)
    }

    // MARK: An expert is read as the LoRA that it is

    /// The refusal of an expert alone, and in a mixture.
    private func refusals(
        _ kind: MixtureFixture.Kind, _ expert: AdapterFixture, strict: Bool = false
    ) throws -> (alone: String, mixed: String) {
        var fixture = MixtureFixture(kind)
        fixture.experts[1].adapter = expert
        try fixture.write(to: reading.directory)
        return (failure("mix/task1", strict: strict), failure("mix", strict: strict))
    }

    @Test(
        arguments: MixtureFixture.Kind.allCases,
        [
            ["init_lora_weights": .string("milora")], ["init_lora_weights": .string("corda")],
            ["init_lora_weights": .string("pissa_niter_4")],
            ["init_lora_weights": .string("novel")], ["use_qalora": .bool(true)],
            ["megatron_config": .object(["a": .integer(1)])], ["r": .integer(3)],
            ["rank_pattern": .object(["q_proj": .integer(5)])],
            ["target_modules": .array([.string("k_proj")])],
            ["exclude_modules": .array([.string("q_proj")])],
        ] as [JSONObject])
    func whatIsRefusedAloneIsRefusedInAMixture(
        kind: MixtureFixture.Kind, settings: JSONObject
    ) throws {
        let (alone, mixed) = try refusals(kind, MixtureFixture.expert(seed: 5, settings))
        #expect(alone != "no error")
        #expect(mixed == alone)
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func everyTensorOfAnExpertIsTaken(kind: MixtureFixture.Kind) throws {
        var expert = MixtureFixture.expert(seed: 5)
        expert.tensors.append(
            FloatTensor("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight", [2, 16]))
        var (alone, mixed) = try refusals(kind, expert)
        #expect(alone != "no error")
        #expect(mixed == alone)
        expert.tensors.removeLast()
        expert.configuration["colour"] = .string("blue")
        (alone, mixed) = try refusals(kind, expert, strict: true)
        #expect(alone.contains("unknown setting 'colour'"))
        #expect(mixed == alone)
        #expect(try reading.read(path: path("mix")).warnings.count == 1)
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func whatIsMoreThanFactorsIsRefusedByName(kind: MixtureFixture.Kind) throws {
        for (settings, reason) in [
            (["init_lora_weights": .string("pissa")], "'init_lora_weights' is \"pissa\": its tra"),
            (["use_dora": .bool(true)], "'use_dora' is true: a magnitude"),
            (["alora_invocation_tokens": .array([.integer(3)])], "'alora_invocation_tokens' is"),
        ] as [(JSONObject, String)] {
            let mixed = try refusals(kind, MixtureFixture.expert(seed: 5, settings)).mixed
            #expect(
                mixed.hasPrefix(
                    "mix/task1/adapter_config.json: it can't be an expert of a mixture: \(reason)"),
                "\(mixed)")
        }
        var expert = AdapterFixture.lora(
            ["model.embed_tokens"], targets: .array([.string("embed_tokens")]))
        expert.tensors = [
            FloatTensor("base_model.model.model.embed_tokens.lora_embedding_A", [2, 32]),
            FloatTensor("base_model.model.model.embed_tokens.lora_embedding_B", [16, 2]),
        ]
        #expect(
            try refusals(kind, expert).mixed
                == "mix/task1/adapter_config.json: it can't be an expert of a mixture: it is more than "
                + "low-rank factors of linear layers")
    }

    // MARK: Where experts lie

    @Test(arguments: MixtureFixture.Kind.allCases)
    func expertsLieInTheMixturesDirectory(kind: MixtureFixture.Kind) throws {
        let outside = try MixtureFixture.expert(seed: 8).write(
            to: reading.directory, name: "elsewhere")
        for place in [outside, "../elsewhere", "task0/../../elsewhere", "../missing"] {
            var fixture = MixtureFixture(kind)
            fixture.places[1] = place
            try fixture.write(to: reading.directory)
            let relative = place.hasPrefix("/") ? "elsewhere" : "mix/" + place
            #expect(
                failure()
                    == "\(relative): not inside the directory of the mixture that names it, mix/: copy "
                    + "the expert there", "\(place)")
        }
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func linksOutOfAMixtureAreRefused(kind: MixtureFixture.Kind) throws {
        let outside = try MixtureFixture.expert(seed: 8).write(
            to: reading.directory, name: "elsewhere")
        try MixtureFixture(kind).write(to: reading.directory)
        try remove("mix/task1")
        try FileManager.default.createSymbolicLink(
            atPath: path("mix/task1"), withDestinationPath: outside)
        #expect(failure().hasPrefix("mix/task1: not inside the directory of the mixture"))
        // A link of the expert's own directory.
        try remove("mix/task1")
        try MixtureFixture(kind).write(to: reading.directory)
        for name in ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"] {
            try MixtureFixture(kind).write(to: reading.directory)
            try? remove("mix/task1/" + name)
            try FileManager.default.createSymbolicLink(
                atPath: path("mix/task1/" + name), withDestinationPath: outside + "/" + name)
            #expect(failure().contains("not inside the directory of the mixture"), "\(name)")
            try remove("mix/task1/" + name)
        }
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func anyPathIntoTheMixtureWillDo(kind: MixtureFixture.Kind) throws {
        var fixture = MixtureFixture(kind)
        let hash = try reading.read(path: fixture.write(to: reading.directory)).hash
        try FileManager.default.createSymbolicLink(
            atPath: path("mix/alias"), withDestinationPath: path("mix/task1"))
        try FileManager.default.createSymbolicLink(
            atPath: path("other"), withDestinationPath: path("mix"))
        for place in [path("mix/task1"), "./task0/../task1/", "alias", path("other") + "/task1"] {
            fixture.places[1] = place
            try fixture.write(to: reading.directory)
            for name in ["mix", "other", "mix/"] {
                let mixture = try reading.read(path: path(name))
                // The configuration is another one, what is mixed is the same.
                #expect(mixture.hash != hash && mixture.parameterCount >= 128)
            }
        }
    }

    /// PEFT saves experts beside a configuration that names where they came from.
    @Test func expertsThatWereCopiedAreFoundByTheirNames() throws {
        let outside = try MixtureFixture.expert(seed: 8).write(
            to: reading.directory, name: "elsewhere")
        for place in [outside, "../elsewhere", "../missing", "/missing"] {
            var fixture = MixtureFixture(.xlora)
            fixture.places[1] = place
            fixture.experts[1].name = "1"
            try fixture.write(to: reading.directory)
            let mixture = try reading.read(path: path("mix"))
            #expect(mixture.parameterCount == 162)
        }
    }

    // MARK: The registry

    private func registry() -> AdapterRegistry {
        AdapterRegistry(base: reading.base)
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func eachMixtureOfOneConfigurationIsChecked(kind: MixtureFixture.Kind) throws {
        let registry = registry()
        let good = try MixtureFixture(kind).write(to: reading.directory, name: "good")
        try registry.register(name: "good", path: good)
        var changed: [AdapterFixture] = [
            MixtureFixture.expert(seed: 5, ["use_dora": .bool(true)]),
            MixtureFixture.expert(seed: 5, ["init_lora_weights": .string("milora")]),
        ]
        var wide = MixtureFixture.expert(seed: 5)
        wide.tensors[0] = FloatTensor(wide.tensors[0].name, [2, 12])
        changed.append(wide)
        for expert in changed {
            var fixture = MixtureFixture(kind)
            fixture.experts[1].adapter = expert
            let path = try fixture.write(to: reading.directory, name: "bad")
            #expect(throws: AdapterError.self) { try registry.register(name: "bad", path: path) }
        }
        #expect(registry.list().map(\.name) == ["good"])
        // Of one recipe, values apart: known without reading them.
        var fixture = MixtureFixture(kind)
        fixture.experts[1].adapter = MixtureFixture.expert(seed: 6)
        let path = try fixture.write(to: reading.directory, name: "other")
        try registry.register(name: "other", path: path)
        #expect(registry.list().map { $0.hash.isEmpty } == [false, true])
        let lease = try registry.lease([SelectionEntry(name: "other")])
        #expect(lease.entries[0].hash != registry.list()[0].hash)
        lease.release()
    }

    @Test(arguments: MixtureFixture.Kind.allCases)
    func anExpertThatChangedIsNoticed(kind: MixtureFixture.Kind) throws {
        for name in ["adapter_model.safetensors", "adapter_config.json", "tokenizer_config.json"] {
            let registry = registry()
            for mixture in ["a", "b"] {
                let path = try MixtureFixture(kind).write(to: reading.directory, name: mixture)
                try registry.register(name: mixture, path: path)
            }
            let file = "/task1/" + name
            for mixture in ["a", "b"] {
                var expert = MixtureFixture.expert(seed: 12)
                if name == "adapter_config.json" {
                    expert.configuration["lora_alpha"] = .integer(10)
                }
                let other = try expert.write(to: reading.directory, name: "other")
                if name == "tokenizer_config.json" {
                    try AtomicFile.write("{}", to: other + "/" + name)
                }
                try? remove(mixture + file)
                try FileManager.default.copyItem(
                    atPath: other + "/" + name, toPath: path(mixture + file))
                #expect(
                    throws: AdapterError.changedSinceRegistered(name: mixture, path: path(mixture))
                ) { try registry.lease([SelectionEntry(name: mixture)]) }
            }
            for mixture in ["a", "b"] { try remove(mixture) }
        }
    }
}
