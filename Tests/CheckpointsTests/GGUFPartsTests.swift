import Checkpoints
import Foundation
import StrictJSON
import Testing

@Suite struct GGUFPartsTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// Three parts with one tensor each.
    private func part(
        _ number: Int, of count: Int = 3, tensor: String? = nil, total: Int32 = 3,
        numbered: Int? = nil
    ) -> [UInt8] {
        var fixture = number == 0 ? GGUFFixture.model() : GGUFFixture()
        if number == 0 { fixture.set("llama.vocab_size", 4) }
        fixture.set("split.no", UInt32(numbered ?? number))
        fixture.set("split.count", UInt32(count))
        fixture.set("split.tensors.count", type: 5, bytes(total))
        fixture.add(tensor ?? "t\(number)", dimensions: [1], [Float(number)])
        return fixture.file
    }

    private func name(_ number: Int, of count: Int = 3) -> String {
        "m-0000\(number + 1)-of-0000\(count).gguf"
    }

    private func writeParts() throws {
        for number in 0..<3 { try directory.write(part(number), name(number)) }
    }

    @Test(arguments: [0, 1, 2])
    func anyPartOpensTheWhole(number: Int) throws {
        try writeParts()
        let file = try GGUFFile(path: directory.place(name(number)))
        #expect(file.tensorNames == ["t0", "t1", "t2"])
        for index in 0..<3 {
            #expect(try file.readableTensor("t\(index)").floats() == [Float(index)])
        }
        #expect(file.architecture == "llama")
        #expect(try BaseCheckpoint.open(path: directory.place(name(number))).kind == .gguf)
    }

    @Test func aDirectoryOfPartsIsABase() throws {
        try writeParts()
        #expect(try BaseCheckpoint.open(path: directory.path).tensors.tensorNames.count == 3)
        try directory.write(GGUFFixture.model().file, "other.gguf")
        expectFailure(
            "PATH: it holds several GGUF files: give one of them as the base, for example \(name(0))",
            in: directory.path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
    }

    @Test func aMissingPartIsNamed() throws {
        try writeParts()
        try FileManager.default.removeItem(atPath: directory.place(name(2)))
        for number in 0..<2 {
            expectFailure(
                "PATH has no \(name(2)); it is part 3 of 3 of this model", in: directory.path
            ) { _ = try GGUFFile(path: directory.place(name(number))) }
        }
    }

    @Test func aRenamedPartSaysWhatItsNameMustBe() throws {
        let path = try directory.write(part(1), "weights.gguf")
        expectFailure(
            "PATH: part 2 of 3 of a model, under a name that doesn't say so: it must end in "
                + "-00002-of-00003.gguf, with the others beside it", in: path
        ) { _ = try GGUFFile(path: path) }
    }

    @Test func partsMustBelongTogether() throws {
        try writeParts()
        try directory.write(part(2, numbered: 1), name(2))
        let third = directory.place(name(2))
        expectFailure("PATH: its keys don't say that it is part 3 of 3", in: third) {
            _ = try GGUFFile(path: directory.place(name(0)))
        }
        try directory.write(part(2, tensor: "t1"), name(2))
        expectFailure("PATH: tensor 't1': stored twice, in \(name(1)) too", in: third) {
            _ = try GGUFFile(path: directory.place(name(0)))
        }
        try directory.write(part(2), name(2))
        try directory.write(part(0, total: 4), name(0))
        let first = directory.place(name(0))
        expectFailure("PATH: 'split.tensors.count' is 4, the parts hold 3", in: first) {
            _ = try GGUFFile(path: first)
        }
        try directory.write(part(0, numbered: 3), name(0))
        expectFailure("PATH: 'split.no' must be a number below 'split.count', 3", in: first) {
            _ = try GGUFFile(path: first)
        }
    }

    @Test func partsHaveALimit() throws {
        var path = try directory.write(part(0, of: 1001), "m-00001-of-01001.gguf")
        expectFailure("PATH: 'split.count' is 1001, the limit is 1000", in: path) {
            _ = try GGUFFile(path: path)
        }
        path = try directory.write(part(0, of: 1000), "m-00001-of-01000.gguf")
        expectFailure(
            "PATH has no m-00002-of-01000.gguf; it is part 2 of 1000 of this model",
            in: directory.path
        ) { _ = try GGUFFile(path: path) }
    }

    @Test func aModelInOnePartNeedsNoOtherName() throws {
        let path = try directory.write(part(0, of: 1, total: 1), "m.gguf")
        #expect(try GGUFFile(path: path).tensorNames == ["t0"])
    }

    @Test func aMergedFileSaysNothingOfParts() throws {
        try writeParts()
        let file = try GGUFFile(path: directory.place(name(1)))
        let tensors = file.tensorNames.map {
            GGUFWriter.Tensor(name: $0, elementType: .f32, shape: [1])
        }
        let out = directory.place("whole.gguf")
        try GGUFWriter(keysOf: file, tensors: tensors).write(to: out) {
            (tensor) throws(CheckpointError) in
            [UInt8](try file.readableTensor(tensor.name).bytes)
        }
        let whole = try GGUFFile(path: out)
        #expect(whole.tensorNames == file.tensorNames)
        #expect(try whole.number("split.count") == nil)
        #expect(whole.architecture == "llama")
        #expect(whole.metadata == file.metadata)
        #expect(try whole.readableTensor("t2").floats() == [2])
    }
}
