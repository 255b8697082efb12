/// Bytes of safetensors files, well formed or not.
enum SafetensorsFixture {
    static func file(header: String, data: [UInt8] = []) -> [UInt8] {
        file(header: [UInt8](header.utf8), data: data)
    }

    static func file(header: [UInt8], data: [UInt8] = []) -> [UInt8] {
        bytes(UInt64(header.count)) + header + data
    }

    static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// One member of the header.
    static func entry(
        _ name: String, dtype: String = "F32", shape: String, _ begin: Int, _ end: Int
    ) -> String {
        "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
    }

    /// A file of f32 tensors, in the order given.
    static func floats(
        _ tensors: [(name: String, shape: [Int], values: [Float])], metadata: String? = nil
    ) -> [UInt8] {
        var members = metadata.map { ["\"__metadata__\":\($0)"] } ?? []
        var data: [UInt8] = []
        for tensor in tensors {
            let end = data.count + 4 * tensor.values.count
            members.append(entry(tensor.name, shape: "\(tensor.shape)", data.count, end))
            data += bytes(tensor.values)
        }
        return file(header: "{" + members.joined(separator: ",") + "}", data: data)
    }
}
