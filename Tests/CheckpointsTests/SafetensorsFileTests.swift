import Checkpoints
import Testing

@Suite struct SafetensorsFileTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func tensorsAndMetadataAreRead() throws {
        let path = try directory.write(
            SafetensorsFixture.floats(
                [("b", [2, 2], [1, 2, 3, 4]), ("a", [1], [-5]), ("s", [], [6])],
                metadata: #"{"format":"pt","note":"é"}"#), "m")
        let file = try SafetensorsFile(path: path)
        #expect(file.tensorNames == ["b", "a", "s"])
        #expect(file.metadata == ["format": "pt", "note": "é"])
        #expect(try file.requiredTensor("b").floats() == [1, 2, 3, 4])
        #expect(try file.requiredTensor("b").shape == [2, 2])
        #expect(try file.requiredTensor("s").floats() == [6])
        #expect(file.tensor("c") == nil)
        expectFailure("PATH has no tensor 'c'", in: path) { _ = try file.requiredTensor("c") }
    }

    @Test func emptyTensorsScalarsPaddingAndLeadingSpaceAreLegal() throws {
        let header =
            "  {" + SafetensorsFixture.entry("z", shape: "[0,3]", 0, 0) + ","
            + SafetensorsFixture.entry("s", dtype: "F64", shape: "[]", 0, 8) + "}   "
        let path = try directory.write(
            SafetensorsFixture.file(header: header, data: bytes((2.5).bitPattern)), "m")
        let file = try SafetensorsFile(path: path)
        #expect(try file.requiredTensor("z").floats() == [])
        #expect(try file.requiredTensor("s").floats() == [2.5])
        let empty = try directory.write(SafetensorsFixture.file(header: "{}"), "e")
        #expect(try SafetensorsFile(path: empty).tensorNames == [])
    }

    @Test func namesThatLookLikePathsAreJustNames() throws {
        let path = try directory.write(SafetensorsFixture.floats([("../../x", [1], [1])]), "m")
        #expect(try SafetensorsFile(path: path).tensorNames == ["../../x"])
    }

    @Test(arguments: [
        ("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("I16", 2),
        ("I8", 1), ("U64", 8), ("U32", 4), ("U16", 2), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1),
        ("F8_E5M2", 1),
    ])
    func everyTypeHasItsSize(dtype: String, byteCount: Int) throws {
        let entry = SafetensorsFixture.entry("a", dtype: dtype, shape: "[3]", 0, 3 * byteCount)
        let path = try directory.write(
            SafetensorsFixture.file(
                header: "{\(entry)}", data: SafetensorsFixture.zeros(3 * byteCount)), "m")
        #expect(try SafetensorsFile(path: path).requiredTensor("a").elementType.rawValue == dtype)
    }

    @Test func onlyFloatingPointTensorsAreWidened() throws {
        let entry = SafetensorsFixture.entry("a", dtype: "I8", shape: "[1]", 0, 1)
        let path = try directory.write(
            SafetensorsFixture.file(header: "{\(entry)}", data: [1]), "m")
        let tensor = try SafetensorsFile(path: path).requiredTensor("a")
        expectFailure(
            "PATH: tensor 'a' has type I8; supported are F32, F16, BF16 and F64", in: path
        ) { _ = try tensor.floats() }
        #expect(tensor.nonFiniteSummary() == nil)
    }

    @Test func nonFiniteValuesAreCounted() throws {
        let path = try directory.write(
            SafetensorsFixture.floats([
                ("x", [2, 3], [0, 1, 2, .nan, .infinity, -.infinity]), ("y", [1], [1]),
            ]), "m")
        let file = try SafetensorsFile(path: path)
        let summary = try #require(try file.requiredTensor("x").nonFiniteSummary())
        #expect(summary == NonFiniteSummary(count: 3, first: [1, 0]))
        #expect(summary.description == "3 non-finite values (first at [1,0])")
        #expect(try file.requiredTensor("y").nonFiniteSummary() == nil)
    }

    @Test(arguments: [("F16", [0x00, 0x7C]), ("BF16", [0x80, 0x7F])] as [(String, [UInt8])])
    func nonFiniteHalvesAreCounted(dtype: String, infinity: [UInt8]) throws {
        let entry = SafetensorsFixture.entry("a", dtype: dtype, shape: "[2]", 0, 4)
        let path = try directory.write(
            SafetensorsFixture.file(header: "{\(entry)}", data: [0, 0x3C] + infinity), "m")
        let tensor = try SafetensorsFile(path: path).requiredTensor("a")
        #expect(tensor.nonFiniteSummary()?.description == "1 non-finite value (first at [1])")
        #expect(try tensor.floats()[1] == .infinity)
    }
}
