/// A file of `torch.save`, byte by byte: a zip archive of stored members around a pickle.
struct TorchFixture {
    var pickle: [UInt8]
    /// Bytes of the storages, by key.
    var storages: [String: [UInt8]] = [:]

    var bytes: [UInt8] {
        let members =
            [("a/data.pkl", pickle), ("a/byteorder", Array("little".utf8))]
            + storages.sorted { $0.key < $1.key }.map { ("a/data/" + $0.key, $0.value) }
        return Self.archive(members)
    }

    static func archive(_ members: [(name: String, content: [UInt8])]) -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for (name, content) in members {
            let start = file.count
            let sizes = little(UInt32(content.count)) + little(UInt32(content.count))
            file += [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 14) + sizes
            file += little(UInt16(name.utf8.count)) + [0, 0] + Array(name.utf8) + content
            directory += [0x50, 0x4B, 1, 2] + [UInt8](repeating: 0, count: 16) + sizes
            directory += little(UInt16(name.utf8.count)) + [UInt8](repeating: 0, count: 12)
            directory += little(UInt32(start)) + Array(name.utf8)
        }
        let count = little(UInt16(members.count))
        let end =
            [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count + little(UInt32(directory.count))
            + little(UInt32(file.count)) + [0, 0]
        return file + directory + end
    }

    static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
    }
}

/// Pieces of pickles.
enum Pickle {
    static func dictionary(_ items: [(String, [UInt8])]) -> [UInt8] {
        [0x80, 2] + Array("}(".utf8) + items.flatMap { text($0.0) + $0.1 } + Array("u.".utf8)
    }

    static func text(_ text: String) -> [UInt8] {
        [UInt8(ascii: "X")] + TorchFixture.little(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + TorchFixture.little(Int64(value)) }

    static func tuple(_ values: [Int]) -> [UInt8] {
        Array("(".utf8) + values.flatMap(integer) + Array("t".utf8)
    }

    static func global(_ module: String, _ name: String) -> [UInt8] {
        Array("c\(module)\n\(name)\n".utf8)
    }

    /// A view of a storage of f32.
    static func tensor(
        _ shape: [Int], strides: [Int], offset: Int = 0, key: String = "0", elementCount: Int
    ) -> [UInt8] {
        let storage =
            Array("(".utf8) + text("storage") + global("torch", "FloatStorage") + text(key)
            + text("cpu") + integer(elementCount) + Array("tQ".utf8)
        return global("torch._utils", "_rebuild_tensor_v2") + Array("(".utf8) + storage
            + integer(offset) + tuple(shape) + tuple(strides) + [0x89] + Array("tR".utf8)
    }
}
