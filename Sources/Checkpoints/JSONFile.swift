internal import StrictJSON

/// Small JSON files beside the weights.
enum JSONFile {
    /// The object that a file holds.
    ///
    /// - Parameter limit: a longer file is refused unread.
    static func object(
        path: String, limit: Int = CheckpointLimits.configurationByteCount
    ) throws(CheckpointError) -> JSONObject {
        try MappedFile(reading: path, limit: limit).withBytes { (text) throws(CheckpointError) in
            try object(text, path: path)
        }
    }

    /// The object that a text holds; `path` is for messages.
    static func object(_ text: [UInt8], path: String) throws(CheckpointError) -> JSONObject {
        let outcome: Result<JSONObject, CheckpointError> = text.withUnsafeBytes { bytes in
            Result { () throws(CheckpointError) in try object(bytes, path: path) }
        }
        return try outcome.get()
    }

    /// The object that a text holds; `path` is for messages.
    static func object(
        _ text: UnsafeRawBufferPointer, path: String
    ) throws(CheckpointError) -> JSONObject {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: text)
        } catch {
            throw .malformed(path: path, reason: "not JSON: \(error)")
        }
        guard let object = value.objectValue else {
            throw .malformed(path: path, reason: "must hold a JSON object, found \(value.typeName)")
        }
        return object
    }
}
