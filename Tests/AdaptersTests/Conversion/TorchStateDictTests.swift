import Adapters
import Foundation
import Testing

/// Files of `torch.save` that hold more than tensors, or are damaged: nothing in them is run.
@Suite struct TorchStateDictTests {
    private let directory: ScratchDirectory
    private let stored: [UInt8]

    init() throws {
        directory = try ScratchDirectory()
        stored = [UInt8](
            try Data(
                contentsOf: URL(fileURLWithPath: ReferenceFiles.path("conversion/lora.pt"))))
    }

    private func failure(_ bytes: [UInt8], name: String = "lora.pt") throws -> String {
        let path = directory.path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return AdapterFailure.description {
            _ = try AdapterConversion(from: path, settings: #"{"lora_alpha":4}"#)
        }.replacingOccurrences(of: directory.path + "/", with: "")
    }

    /// The file with every `old` replaced by `new`, of the same length.
    private func altered(_ old: String, _ new: String) -> [UInt8] {
        var bytes = stored
        let (old, new) = (Array(old.utf8), Array(new.utf8))
        for start in 0...(bytes.count - old.count)
        where bytes[start..<(start + old.count)].elementsEqual(old) {
            bytes.replaceSubrange(start..<(start + old.count), with: new)
        }
        return bytes
    }

    @Test(arguments: [
        ("torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor_v9"),
        ("collections\nOrderedDict", "subprocess_\ncheck_call_"),
        ("torch\nFloatStorage", "posix\nsystem______"),
    ])
    func unknownNamesAreRefused(old: String, new: String) throws {
        let name = new.replacingOccurrences(of: "\n", with: ".")
        #expect(
            try failure(altered(old, new))
                == "lora.pt: the pickle holds '\(name)', and only tensors by name are read: save the state "
                + "dict alone")
    }

    @Test func anUnknownInstructionEndsTheReading() throws {
        let start = try #require(stored.indices.first { stored[$0...].starts(with: [0x80, 2]) })
        var bytes = stored
        bytes[start + 2] = UInt8(ascii: "i")
        #expect(
            try failure(bytes)
                == "lora.pt: the pickle holds instruction 105 at byte 2, and only tensors by name are read: "
                + "save the state dict alone")
    }

    @Test func truncatedAndForeignFilesAreRefused() throws {
        #expect(
            try failure(Array(stored[..<(stored.count / 2)]))
                == "lora.pt: has no zip directory: is it whole?")
        #expect(
            try failure([0x80, 2] + Array("}q.".utf8), name: "old.pt").hasPrefix(
                "old.pt: pickle files can run code and are refused; convert it once with: python3 -c"
            ))
        for count in stride(from: 4, to: stored.count, by: 97) {
            #expect(try failure(Array(stored[..<count])) != "no error")
        }
    }

    /// Whatever byte is changed, reading ends with a result or a sentence.
    @Test func noChangedByteTraps() throws {
        for index in stride(from: 0, to: stored.count, by: 13) {
            var bytes = stored
            bytes[index] ^= 0x55
            #expect(!(try failure(bytes)).isEmpty)
        }
    }
}
