import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing

@Suite struct AdapterFileTests {
    let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func path(_ name: String) -> String { reading.directory.path + "/" + name }

    private func failure(_ name: String, options: AdapterOptions = AdapterOptions()) -> String {
        reading.failure { _ = try reading.read(path: path(name), options: options) }
    }

    private func makeDirectory(_ name: String, files: [String: String]) throws {
        try FileManager.default.createDirectory(
            atPath: path(name), withIntermediateDirectories: true)
        for (file, text) in files { try AtomicFile.write(text, to: path(name) + "/" + file) }
    }

    @Test func aPackedAdapterHasTheHashOfItsDirectory() throws {
        let source = try AdapterFixture.lora([AdapterFixture.query]).write(to: reading.directory)
        let report = try AdapterPacking.pack(from: source, to: path("one.lora"))
        let packed = try reading.read(path: path("one.lora"))
        let unpacked = try reading.read(path: source)
        #expect(packed.hash == unpacked.hash)
        #expect(packed.hash == report.hash)
        #expect(packed.hash.count == 64)
        #expect(packed.rank == 2)
        #expect(packed.parameterCount == 64)
        #expect(packed.targets == "q_proj")
    }

    @Test func theHashDependsOnEveryPart() throws {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        let hash = try reading.read(fixture).hash
        var other = fixture
        other.tensors[0].values[0] += 1
        #expect(try reading.read(other).hash != hash)
        other = fixture
        other.configuration["lora_alpha"] = .integer(5)
        #expect(try reading.read(other).hash != hash)
        other = fixture
        other.configuration = JSONObject()
        for (key, value) in fixture.configuration.reversed() { other.configuration[key] = value }
        #expect(try reading.read(other).hash == hash)
    }

    @Test func whatIsNoAdapterSaysWhatItIs() throws {
        #expect(
            failure("nothing") == "nothing: no such file or directory: give a PEFT directory or a "
                + ".lora file")
        try makeDirectory("empty", files: [:])
        #expect(
            failure("empty") == "empty: a directory without adapter_config.json, not an adapter: "
                + "give a PEFT directory (adapter_config.json with adapter_model.safetensors) or a "
                + ".lora file")
        try makeDirectory("config", files: ["adapter_config.json": "{}"])
        #expect(
            failure("config").hasPrefix("config: a directory without adapter_model.safetensors"))
        try FloatTensor.write([FloatTensor("a", [2])], to: path("plain.safetensors"))
        #expect(
            failure("plain.safetensors").hasPrefix(
                "plain.safetensors: a safetensors file without 'graft.adapter_config' in its metadata"
            ))
        try makeDirectory("web", files: ["page.lora": "<!DOCTYPE html>"])
        #expect(failure("web/page.lora").hasPrefix("web/page.lora: "))
        mkfifo(path("pipe"), 0o600)
        #expect(
            failure("pipe") == "pipe: a FIFO, not a regular file: adapters are read from regular "
                + "files only")
    }

    @Test func picklesAreRefusedWithTheConversion() throws {
        try makeDirectory(
            "old", files: ["adapter_config.json": "{}", "adapter_model.bin": "PK\u{3}\u{4}"])
        let text = failure("old")
        #expect(
            text.hasPrefix("old/adapter_model.bin: pickle files can run code and are refused; "))
        #expect(text.contains("weights_only=True"))
        #expect(text.contains("old/adapter_model.safetensors"))
        #expect(failure("old/adapter_model.bin").contains("pickle files can run code"))
    }

    @Test(arguments: [
        ("", "the file is empty"),
        ("[]", "holds an array, expected an object"),
        ("{\"r\":1,\"r\":2}", "not valid JSON: "),
        ("{}", "'peft_type' is missing: this is not a complete PEFT configuration"),
        (
            "{\"peft_type\":\"FOO\"}",
            "peft_type FOO is no PEFT method that Graft knows; supported: ADALORA, "
        ),
        ("{\"peft_type\":3}", "'peft_type' is 3, expected a string"),
    ])
    func configurationsAreChecked(text: String, reason: String) throws {
        let source = try AdapterFixture.lora([AdapterFixture.query]).write(to: reading.directory)
        try AtomicFile.write(text, to: source + "/adapter_config.json")
        #expect(failure("adapter").hasPrefix("adapter/adapter_config.json: " + reason))
    }
}
