import Checkpoints
import Foundation
import Testing

@Suite struct SafetensorsWriterTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private let tensors: [SafetensorsWriter.Tensor] = [
        .init(name: "m", elementType: .u8, shape: [128]),
        .init(name: "v", elementType: .f32, shape: [2, 2]),
        .init(name: "e", elementType: .bf16, shape: [0, 4]),
    ]

    private func write(_ name: String, metadata: [String: String] = ["k": "v", "a": "\"é\n"]) throws
    {
        try SafetensorsWriter(tensors: tensors, metadata: metadata).write(
            to: directory.place(name)
        ) { (tensor, sink) throws(CheckpointError) in
            switch tensor.name {
            case "m":
                try sink.write([UInt8](0..<100))
                try sink.writeZeros(count: 28)
            case "v": try sink.write(bytes([1, 2, 3, 4]))
            default: break
            }
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        try write("m")
        let file = try SafetensorsFile(path: directory.place("m"))
        #expect(file.metadata == ["k": "v", "a": "\"é\n"])
        #expect(file.tensorNames == ["m", "e", "v"] || file.tensorNames == ["m", "v", "e"])
        #expect(try file.requiredTensor("v").floats() == [1, 2, 3, 4])
        #expect([UInt8](try file.requiredTensor("m").bytes.prefix(100)) == [UInt8](0..<100))
        let address = Int(bitPattern: try file.requiredTensor("m").bytes.baseAddress)
        #expect(address % 64 == 0)
    }

    @Test func filesAreDeterministicAndLeaveNothingElse() throws {
        try write("a")
        try write("b")
        try write("b")
        #expect(try directory.read("a") == directory.read("b"))
        #expect(directory.names == ["a", "b"])
    }

    @Test func regionsAreWrittenInOrder() throws {
        let data: [UInt8] = [1, 2, 3]
        var shares: [Double] = []
        try data.withUnsafeBytes { region in
            try SafetensorsWriter(tensors: [
                .init(name: "x", elementType: .u8, shape: [3]),
                .init(name: "y", elementType: .u8, shape: [3]),
            ]).write(to: directory.place("r"), regions: [region, region]) { shares.append($0) }
        }
        let file = try SafetensorsFile(path: directory.place("r"))
        #expect([UInt8](try file.requiredTensor("y").bytes) == data)
        #expect(shares == [0.5, 1])
    }

    @Test func aFailureLeavesTheOldFileAndNoOther() throws {
        try directory.write("old", "m")
        let path = directory.place("m")
        let writer = SafetensorsWriter(tensors: tensors)
        expectFailure("PATH: tensor 'm': needs 128 bytes, got 1", in: path) {
            try writer.write(to: path) { (_, sink) throws(CheckpointError) in try sink.write([1]) }
        }
        expectFailure("PATH has no tensor 'z'", in: path) {
            try writer.write(to: path) { (_, _) throws(CheckpointError) in
                throw .missingTensor("z", path: path)
            }
        }
        #expect(try directory.read("m") == [UInt8]("old".utf8))
        #expect(directory.names == ["m"])
    }

    @Test(arguments: [
        ("__metadata__", ElementType.f32, "tensor '__metadata__': the name is taken"),
        ("", .f32, "tensor '': invalid tensor name"),
        (
            "q", .q8_0,
            "tensor 'q' has type Q8_0; supported are F64, F32, F16, BF16, I64, I32, I16, I8, U64, "
                + "U32, U16, U8, BOOL, F8_E4M3, F8_E5M2"
        ),
    ])
    func onlyReadableFilesAreWritten(name: String, type: ElementType, description: String) {
        let path = directory.place("m")
        let writer = SafetensorsWriter(tensors: [.init(name: name, elementType: type, shape: [32])])
        expectFailure("PATH: " + description, in: path) {
            try writer.write(to: path) { (_, _) throws(CheckpointError) in }
        }
        #expect(directory.names.isEmpty)
    }

    @Test func placesThatCannotBeWrittenAreNamed() {
        let path = directory.place("none/m")
        expectFailure("PATH can't be written: no such file or directory", in: path) {
            try AtomicFile.write("x", to: path)
        }
        expectFailure("PATH can't be written: a directory stands there", in: directory.path) {
            try AtomicFile.write("x", to: directory.path)
        }
    }

    @Test func aFullDeviceIsNamed() {
        #expect(
            CheckpointError.unwritable(path: "m", reason: "no space left on the device").description
                == "m can't be written: no space left on the device")
    }
}

@Suite struct AtomicDirectoryTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func aDirectoryAppearsWhole() throws {
        let output = try AtomicDirectory(path: directory.place("out/"))
        try AtomicFile.write("1", to: output.place("a"))
        #expect(!directory.names.contains("out"))
        try output.commit()
        #expect(directory.names == ["out"])
        #expect(try directory.read("out/a") == [UInt8]("1".utf8))
    }

    @Test func anAbandonedDirectoryVanishes() throws {
        func abandon() throws {
            let output = try AtomicDirectory(path: directory.place("out"))
            try AtomicFile.write("1", to: output.place("a"))
        }
        try abandon()
        #expect(directory.names.isEmpty)
    }

    @Test func emptyDirectoriesAreReplacedAndOthersRefused() throws {
        let path = try directory.makeDirectory("out")
        try AtomicDirectory(path: path).commit()
        try directory.write("x", "out/file")
        expectFailure(
            "PATH exists already; remove it or choose another place for the output", in: path
        ) { try AtomicDirectory(path: path).commit() }
        let file = try directory.write("x", "file")
        expectFailure(
            "PATH exists already; remove it or choose another place for the output", in: file
        ) { try AtomicDirectory(path: file).commit() }
    }

    @Test func aDirectoryThatAppearsMeanwhileIsKept() throws {
        let output = try AtomicDirectory(path: directory.place("out"))
        _ = try directory.makeDirectory("out")
        try directory.write("theirs", "out/file")
        do {
            try output.commit()
            Issue.record("replaced")
        } catch {
            #expect(error == .outputExists(path: directory.place("out")))
        }
        #expect(directory.names == ["out"])
        #expect(try directory.read("out/file") == [UInt8]("theirs".utf8))
    }
}

@Suite struct ShardedSafetensorsWriterTests {
    @Test func largeCheckpointsAreSharded() throws {
        let directory = try TemporaryDirectory()
        let tensors = (0..<5).map {
            SafetensorsWriter.Tensor(name: "t\($0)", elementType: .f32, shape: [2])
        }
        let writer = ShardedSafetensorsWriter(tensors: tensors, maximumShardByteCount: 16)
        var share = 0.0
        try writer.write(toDirectory: directory.path, progress: { share = $0 }) {
            (tensor, sink) throws(CheckpointError) in
            let value = Float(tensor.name.dropFirst()) ?? -1
            try sink.write(bytes([value, value + 0.5]))
        }
        #expect(share == 1)
        #expect(
            directory.names == [
                "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors", "model.safetensors.index.json",
            ])
        let read = try ShardedSafetensors(
            indexPath: directory.place("model.safetensors.index.json"))
        #expect(read.tensorNames == tensors.map(\.name))
        #expect(try read.requiredTensor("t3").floats() == [3, 3.5])
    }

    @Test func smallCheckpointsAreOneFile() throws {
        let directory = try TemporaryDirectory()
        let writer = ShardedSafetensorsWriter(tensors: [
            .init(name: "t", elementType: .u8, shape: [1])
        ])
        try writer.write(toDirectory: directory.path) { (_, sink) throws(CheckpointError) in
            try sink.write([7])
        }
        #expect(directory.names == ["model.safetensors"])
        #expect(writer.fileNames == ["model.safetensors"])
    }
}
