import Checkpoints
import Foundation
import Testing

@Suite struct MappedFileTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func bytesAreMapped() throws {
        let file = try MappedFile(path: directory.write([1, 2, 3], "f"))
        #expect([UInt8](file.bytes) == [1, 2, 3])
    }

    @Test func anEmptyFileHasNoBytes() throws {
        #expect(try MappedFile(path: directory.write([], "f")).bytes.isEmpty)
    }

    @Test func aReadFileStaysWhatItWas() throws {
        let path = try directory.write([1, 2, 3], "f")
        let file = try MappedFile(reading: path)
        truncate(path, 0)
        #expect([UInt8](file.bytes) == [1, 2, 3])
        #expect(try MappedFile(reading: path).bytes.isEmpty)
    }

    @Test func readingHasALimit() throws {
        let path = try directory.write([1, 2, 3], "f")
        #expect(try MappedFile(reading: path, limit: 4).bytes.count == 3)
        #expect(try MappedFile(reading: path, limit: 3).bytes.count == 3)
        expectFailure("PATH: it has 3 bytes, the limit is 2", in: path) {
            _ = try MappedFile(reading: path, limit: 2)
        }
    }

    @Test func aTensorOfAFileThatIsCutShortIsRefused() throws {
        let content = SafetensorsFixture.floats([("t", [4096], [Float](repeating: 1, count: 4096))])
        let path = try directory.write(content, "f")
        let tensor = try SafetensorsFile(path: path).requiredTensor("t")
        truncate(path, 100)
        expectFailure("PATH: the file was changed while it was read; try again", in: path) {
            _ = try tensor.floats()
        }
        try directory.write(content, "f")
        expectFailure("PATH: the file was changed while it was read; try again", in: path) {
            _ = try tensor.floats()
        }
    }

    /// A mapped read behind the file's end would end the process.
    @Test func aHeaderOfAFileThatIsCutShortIsRefused() throws {
        let content = SafetensorsFixture.floats([("t", [1], [1])])
        for byteCount in [0, 12] {
            let path = try directory.write(content, "f")
            let file = try MappedFile(path: path)
            truncate(path, byteCount)
            expectFailure("PATH: the file was changed while it was read; try again", in: path) {
                _ = try SafetensorsFile(file: file)
            }
            expectFailure("PATH: the file was changed while it was read; try again", in: path) {
                _ = try GGUFFile(file: file)
            }
        }
    }

    @Test func theContentOfATensorIsReadWithoutTheMapping() throws {
        let content = SafetensorsFixture.floats([("t", [4096], [Float](repeating: 1, count: 4096))])
        let path = try directory.write(content, "f")
        let tensor = try SafetensorsFile(path: path).requiredTensor("t")
        #expect(try tensor.content() == [UInt8](tensor.bytes))
        truncate(path, 100)
        expectFailure("PATH: the file was changed while it was read; try again", in: path) {
            _ = try tensor.content()
        }
    }

    @Test func aCopyOutlivesItsFile() throws {
        let path = try directory.write([1, 2, 3], "f")
        let file = try MappedFile(copying: [1, 2, 3], path: path)
        try directory.write([9], "f")
        try FileManager.default.removeItem(atPath: path)
        #expect([UInt8](file.bytes) == [1, 2, 3])
        #expect(file.path == path)
        #expect(try MappedFile(copying: [], path: path).bytes.isEmpty)
    }

    @Test func memoryIsFilledOnceAndTheRestIsZero() throws {
        let file = try MappedFile(byteCount: 5000, path: "p") { memory in
            #expect(memory.count == 5000)
            memory.copyBytes(from: [1, 2] as [UInt8])
        }
        #expect([UInt8](file.bytes.prefix(3)) == [1, 2, 0])
        #expect(file.bytes.allSatisfy { $0 <= 2 } && file.bytes.count == 5000)
        let empty = try MappedFile(byteCount: 0, path: "p") { _ in Issue.record("filled") }
        #expect(empty.bytes.isEmpty)
    }

    @Test func aCopyIsReadLikeTheFile() throws {
        let writer = SafetensorsWriter(tensors: [.init(name: "t", elementType: .f32, shape: [2])])
        try writer.write(to: directory.place("t")) { (_, sink) throws(CheckpointError) in
            try sink.write(bytes([1.5, -2]))
        }
        let copy = try MappedFile(copying: directory.read("t"), path: "t")
        #expect(try SafetensorsFile(file: copy).requiredTensor("t").floats() == [1.5, -2])
        expectFailure("PATH: truncated: need 8-byte header length, file has 0", in: "none") {
            _ = try SafetensorsFile(file: MappedFile(copying: [], path: "none"))
        }
    }

    @Test func onlyRegularFilesAreMapped() throws {
        let fifo = directory.place("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        expectFailure("PATH is a FIFO, not a regular file", in: fifo) {
            _ = try MappedFile(path: fifo)
        }
        expectFailure("PATH is a directory, not a regular file", in: directory.path) {
            _ = try MappedFile(path: directory.path)
        }
        expectFailure("PATH is a device, not a regular file", in: "/dev/zero") {
            _ = try MappedFile(path: "/dev/zero")
        }
    }

    @Test func aMissingFileIsNamed() {
        let path = directory.place("none")
        expectFailure("PATH: no such file or directory", in: path) {
            _ = try MappedFile(path: path)
        }
    }
}
