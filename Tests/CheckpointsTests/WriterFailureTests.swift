import Checkpoints
import Foundation
import Testing

/// Places that refuse to be written, before and while the writers are at work. A device that is
/// full takes the same way as the failures here: a system call fails, and its reason is told.
@Suite struct WriterFailureTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static let tensors = [
        SafetensorsWriter.Tensor(name: "t", elementType: .u8, shape: [1])
    ]

    /// Every way to write a file at a path that is the caller's choice.
    enum FileWriter: CaseIterable {
        case text, tensors

        func write(to path: String, meanwhile: () -> Void = {}) throws {
            switch self {
            case .text: try AtomicFile.write("x", to: path)
            case .tensors:
                try SafetensorsWriter(tensors: WriterFailureTests.tensors).write(to: path) {
                    (_, sink) throws(CheckpointError) in
                    meanwhile()
                    try sink.write([1])
                }
            }
        }
    }

    @Test(arguments: FileWriter.allCases)
    func aMissingParentIsNamed(writer: FileWriter) {
        let path = directory.place("none/m")
        expectFailure("PATH can't be written: no such file or directory", in: path) {
            try writer.write(to: path)
        }
        #expect(directory.names.isEmpty)
    }

    @Test(arguments: FileWriter.allCases)
    func aParentThatIsAFileIsNamed(writer: FileWriter) throws {
        let path = try directory.write("x", "file") + "/m"
        expectFailure("PATH can't be written: not a directory", in: path) {
            try writer.write(to: path)
        }
        #expect(directory.names == ["file"])
    }

    @Test(arguments: FileWriter.allCases)
    func aDirectoryIsNotReplacedByAFile(writer: FileWriter) throws {
        let path = try directory.makeDirectory("m")
        try directory.write("mine", "m/notes")
        expectFailure("PATH can't be written: a directory stands there", in: path) {
            try writer.write(to: path)
        }
        #expect(directory.names == ["m"])
        #expect(try directory.read("m/notes") == [UInt8]("mine".utf8))
    }

    @Test func aDirectoryThatAppearsWhileAFileIsWrittenIsKept() {
        let path = directory.place("m")
        expectFailure("PATH can't be written: is a directory", in: path) {
            try FileWriter.tensors.write(to: path) { mkdir(path, 0o755) }
        }
        #expect(directory.names == ["m"])
    }

    @Test func aParentThatVanishesWhileAFileIsWrittenIsNamed() throws {
        let parent = try directory.makeDirectory("parent")
        let path = parent + "/m"
        expectFailure("PATH can't be written: no such file or directory", in: path) {
            try FileWriter.tensors.write(to: path) {
                try? FileManager.default.removeItem(atPath: parent)
            }
        }
        #expect(directory.names.isEmpty)
    }

    @Test func directoriesNeedAParent() throws {
        let path = directory.place("none/out")
        expectFailure("PATH can't be written: no such file or directory", in: path) {
            try AtomicDirectory(path: path).commit()
        }
        let below = try directory.write("x", "file") + "/out"
        expectFailure("PATH can't be written: not a directory", in: below) {
            try AtomicDirectory(path: below).commit()
        }
        #expect(directory.names == ["file"])
    }

    @Test func shardsNeedTheirDirectory() {
        let path = directory.place("none")
        let writer = ShardedSafetensorsWriter(tensors: Self.tensors)
        expectFailure(
            "PATH/model.safetensors can't be written: no such file or directory", in: path
        ) {
            try writer.write(toDirectory: path) { (_, sink) throws(CheckpointError) in
                try sink.write([1])
            }
        }
    }

    @Test func aFailureInTheMiddleOfShardsLeavesNoDirectory() throws {
        let path = directory.place("out")
        let tensors = (0..<3).map {
            SafetensorsWriter.Tensor(name: "t\($0)", elementType: .u8, shape: [8])
        }
        let writer = ShardedSafetensorsWriter(tensors: tensors, maximumShardByteCount: 8)
        func fail() throws {
            let output = try AtomicDirectory(path: path)
            try writer.write(toDirectory: output.temporaryPath) {
                (tensor, sink) throws(CheckpointError) in
                guard tensor.name != "t2" else {
                    throw .unwritable(path: path, reason: "no space left on the device")
                }
                try sink.writeZeros(count: 8)
            }
            try output.commit()
        }
        expectFailure("PATH can't be written: no space left on the device", in: path) {
            try fail()
        }
        #expect(directory.names.isEmpty)
    }

    /// The superuser may write everywhere, so that there is nothing to see.
    @Test(.enabled(if: geteuid() != 0, "permissions don't hold for the superuser"))
    func directoriesWithoutPermissionAreNamed() throws {
        let parent = try directory.makeDirectory("locked")
        #expect(chmod(parent, 0o555) == 0)
        defer { chmod(parent, 0o755) }
        let path = parent + "/m"
        for writer in FileWriter.allCases {
            expectFailure("PATH can't be written: permission denied", in: path) {
                try writer.write(to: path)
            }
        }
        expectFailure("PATH can't be written: permission denied", in: path) {
            try AtomicDirectory(path: path).commit()
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: parent)
        #expect(names.isEmpty)
    }
}
