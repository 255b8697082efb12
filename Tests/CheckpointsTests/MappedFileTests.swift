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
