import Checkpoints
import Testing

@Suite struct SafetensorsFileMalformedTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static let legalTypes =
        "F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, F8_E4M3, F8_E5M2"

    @Test(arguments: [
        ([], "truncated: need 8-byte header length, file has 0"),
        ([UInt8](repeating: 1, count: 7), "truncated: need 8-byte header length, file has 7"),
        (bytes(UInt64(0)) + [0x7B], "empty header"),
        (bytes(UInt64(100_000_001)), "header length 100000001 exceeds limit 100000000"),
        (bytes(UInt64(1) << 63), "header length 9223372036854775808 exceeds limit 100000000"),
        (bytes(UInt64.max), "header length 18446744073709551615 exceeds limit 100000000"),
        (
            bytes(UInt64(5000)) + SafetensorsFixture.zeros(79),
            "header length 5000 exceeds remaining 79 bytes"
        ),
        (SafetensorsFixture.file(header: [0xEF, 0xBB, 0xBF, 0x7B, 0x7D]), "header has BOM"),
        (
            SafetensorsFixture.file(header: [0x7B, 0x22, 0xFF, 0x22, 0x7D]),
            "header is not UTF-8 (byte 2)"
        ),
    ])
    func headerLengthAndEncodingAreChecked(content: [UInt8], description: String) throws {
        try expect(content, "PATH: " + description)
    }

    @Test(arguments: [
        ("{", "header is not a JSON object (the text ends too early, at byte 1)"),
        ("[]", "header is not a JSON object but an array"),
        ("null", "header is not a JSON object but null"),
        ("{}x", "header is not a JSON object (unexpected 'x' at byte 2)"),
        ("{}\0\0", "header is not a JSON object (unexpected byte 0x00 at byte 2)"),
        (
            "{\"a\":" + String(repeating: "[", count: 100_000),
            "header has nesting deeper than 64 at byte 68"
        ),
        (#"{"\ud800":1}"#, "header has bad escape: unpaired surrogate at byte 2"),
        (#"{"a\u0000":1}"#, "invalid tensor name: NUL character (byte 3)"),
        (
            "{" + SafetensorsFixture.entry("a", shape: "[1]", 0, 4) + ","
                + SafetensorsFixture.entry("a", shape: "[1]", 0, 4) + "}",
            "duplicate tensor or field 'a'"
        ),
    ])
    func headerMustBeOneObject(header: String, description: String) throws {
        try expect(
            SafetensorsFixture.file(header: header, data: SafetensorsFixture.zeros(4)),
            "PATH: " + description)
    }

    @Test(arguments: [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a Git LFS pointer (run `git lfs pull`)"
        ),
        ("<!DOCTYPE html><html></html>", "an HTML page"), ("\n<html><body></body>", "an HTML page"),
        (
            "PK\u{3}\u{4}..............",
            "a zip archive (a PyTorch pickle; convert it to safetensors)"
        ),
        ("GGUF\u{3}\0\0\0\0\0\0\0", "a GGUF file"),
    ])
    func otherFormatsAreRecognised(text: String, noun: String) throws {
        try expect([UInt8](text.utf8), "PATH: this is \(noun), not safetensors")
    }

    @Test func picklesAreRecognised() throws {
        try expect(
            [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9],
            "PATH: this is a Python pickle (convert it to safetensors), not safetensors")
    }

    @Test func dataMustBeTiledExactly() throws {
        let one = "{" + SafetensorsFixture.entry("a", shape: "[4]", 0, 16) + "}"
        try expect(one, dataByteCount: 20, "PATH: 4 bytes after last tensor")
        try expect(one, dataByteCount: 14, "PATH: data ends 2 bytes early")
        let late = "{" + SafetensorsFixture.entry("a", shape: "[4]", 4, 20) + "}"
        try expect(late, dataByteCount: 20, "PATH: tensor 'a': begins at 4, expected 0")
        for (begin, kind) in [(20, "hole"), (12, "overlap"), (0, "same range")] {
            let two =
                "{" + SafetensorsFixture.entry("a", shape: "[4]", 0, 16) + ","
                + SafetensorsFixture.entry("b", shape: "[4]", begin, begin + 16) + "}"
            try expect(
                two, dataByteCount: begin + 16,
                "PATH: tensor 'b': begins at \(begin), expected 16", comment: kind)
        }
    }

    @Test(arguments: [
        "[16,0]", "[-4,12]", "[0.0,16.0]", "[0,1.6e1]", "[0,\"16\"]", "[0]", "[0,8,16]",
        "[0,18446744073709551616]", "null", "{}", "[0,18446744073709551615]",
    ])
    func offsetsMustBeTwoIntegers(offsets: String) throws {
        try expect(
            #"{"a":{"dtype":"F32","shape":[4],"data_offsets":\#(offsets)}}"#, dataByteCount: 16,
            "PATH: tensor 'a': data_offsets must be 2 integers 0<=b<=e")
    }

    @Test(arguments: [
        ("[2,3]", "F32 [2,3] needs 24 bytes, has 16"),
        ("[2,18446744073709551614]", "shape overflows"),
        ("[2,9223372036854775807]", "shape overflows"),
        ("[4194305,4194305,211106198978564]", "shape overflows"),
        ("[0,9223372036854775807]", "dimension 9223372036854775807 exceeds limit 2^40"),
        ("[9223372036854775807,0]", "dimension 9223372036854775807 exceeds limit 2^40"),
        ("[0,9223372036854775808]", "shape overflows"),
        ("[9223372036854775808,9223372036854775808,0]", "shape overflows"),
        ("[1,1,1,1,1,1,1,1,1]", "rank 9 > 8"),
        ("[\(Array(repeating: "1", count: 100_000).joined(separator: ","))]", "rank 100000 > 8"),
        ("[-1]", "shape must hold integers from 0 on"),
        ("[4.0]", "shape must hold integers from 0 on"),
        ("[\"4\"]", "shape must hold integers from 0 on"),
        ("4", "shape is a number, not an array of integers"),
    ])
    func shapesAreChecked(shape: String, description: String) throws {
        try expect(
            #"{"a":{"dtype":"F32","shape":\#(shape),"data_offsets":[0,16]}}"#, dataByteCount: 16,
            "PATH: tensor 'a': \(description)")
    }

    @Test(arguments: [
        (#""dtype":"F31","shape":[4]"#, "unknown dtype 'F31'; legal are \(legalTypes)"),
        (#""dtype":"f32","shape":[4]"#, "unknown dtype 'f32'; legal are \(legalTypes)"),
        (#""dtype":"Q8_0","shape":[4]"#, "unknown dtype 'Q8_0'; legal are \(legalTypes)"),
        (#""dtype":1,"shape":[4]"#, "dtype is a number; legal are \(legalTypes)"),
        (#""shape":[4]"#, "dtype is missing; legal are \(legalTypes)"),
        (#""dtype":"F32""#, "shape is missing"),
        (#""dtype":"F32","shape":[4],"extra":1"#, "unknown field 'extra'"),
    ])
    func fieldsAreChecked(fields: String, description: String) throws {
        try expect(
            #"{"a":{\#(fields),"data_offsets":[0,16]}}"#, dataByteCount: 16,
            "PATH: tensor 'a': \(description)")
    }

    @Test(arguments: [
        (#"{"a":1}"#, "metadata values must be strings, 'a' is a number"),
        (#"{"a":{}}"#, "metadata values must be strings, 'a' is an object"),
        (#"[]"#, "__metadata__ is an array, not an object of strings"),
        ("null", "__metadata__ is null, not an object of strings"),
        (#"{"a":"1","a":"2"}"#, "duplicate tensor or field 'a'"),
        (#"{},"__metadata__":{}"#, "duplicate tensor or field '__metadata__'"),
    ])
    func metadataMustBeStrings(metadata: String, description: String) throws {
        try expect(#"{"__metadata__":\#(metadata)}"#, dataByteCount: 0, "PATH: " + description)
    }

    @Test(arguments: ["", "a\\u0001", String(repeating: "n", count: 10_000)])
    func oddNamesAreRefused(name: String) throws {
        let path = try directory.write(
            SafetensorsFixture.file(
                header: "{" + SafetensorsFixture.entry(name, shape: "[1]", 0, 4) + "}",
                data: SafetensorsFixture.zeros(4)), "m")
        do {
            _ = try SafetensorsFile(path: path)
            Issue.record("accepted")
        } catch {
            #expect(error.description.contains("invalid tensor name"))
        }
    }

    @Test func tooManyTensorsAreRefused() throws {
        let entries = (0..<100_001).map { SafetensorsFixture.entry("t\($0)", shape: "[0]", 0, 0) }
        try expect(
            "{" + entries.joined(separator: ",") + "}", dataByteCount: 0,
            "PATH: too many tensors: 100001, the limit is 100000")
    }

    @Test func everyTruncationIsRefused() throws {
        let whole = SafetensorsFixture.floats([("a", [2], [1, 2]), ("b", [1], [3])])
        for count in 0..<whole.count {
            let path = try directory.write(Array(whole[..<count]), "m")
            #expect(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
        }
    }

    private func expect(
        _ header: String, dataByteCount: Int, _ description: String, comment: String = ""
    ) throws {
        try expect(
            SafetensorsFixture.file(header: header, data: SafetensorsFixture.zeros(dataByteCount)),
            description)
    }

    private func expect(_ content: [UInt8], _ description: String) throws {
        let path = try directory.write(content, "m")
        expectFailure(description, in: path) { _ = try SafetensorsFile(path: path) }
    }
}
