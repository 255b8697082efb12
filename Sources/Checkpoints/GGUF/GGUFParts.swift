/// The files that one model in GGUF form lies in.
///
/// **Source**: `gguf-split` of llama.cpp: every part says how many there are and which it is, the
/// first has all other keys, and their names follow from each other.
enum GGUFParts {
    /// All parts of the model that `part` belongs to, in order; itself where it is whole.
    ///
    /// - Throws: `CheckpointError.missingFile` for a part that isn't there, `.malformed` for parts
    ///   that don't belong together.
    static func joined(_ part: GGUFPart) throws(CheckpointError) -> [GGUFPart] {
        guard let count = try part.values.count("split.count"), count > 1 else { return [part] }
        let path = part.file.path
        guard count <= CheckpointLimits.ggufPartCount else {
            throw .malformed(
                path: path,
                reason: "'split.count' is \(count), the limit is \(CheckpointLimits.ggufPartCount)")
        }
        let number = try self.number(part, of: count)
        guard let name = GGUFPartName(FilePath.name(of: path)), name.number == number,
            name.count == count
        else {
            throw .malformed(
                path: path,
                reason:
                    "part \(number + 1) of \(count) of a model, under a name that doesn't say so: "
                    + "it must end in \(GGUFPartName.name("", number, of: count)), with the others "
                    + "beside it")
        }
        let directory = FilePath.directory(of: path)
        var parts: [GGUFPart] = []
        for other in 0..<count {
            let found =
                other == number
                ? part : try self.part(name.name(other), other, of: count, in: directory)
            parts.append(found)
        }
        try check(parts)
        return parts
    }

    private static func number(
        _ part: GGUFPart, of count: Int
    ) throws(CheckpointError) -> Int {
        guard let number = try part.values.count("split.no"), number < count else {
            throw .malformed(
                path: part.file.path,
                reason: "'split.no' must be a number below 'split.count', \(count)")
        }
        return number
    }

    private static func part(
        _ name: String, _ number: Int, of count: Int, in directory: String
    ) throws(CheckpointError) -> GGUFPart {
        let path = FilePath.join(directory, name)
        let part: GGUFPart
        do { part = try GGUFPart(MappedFile(path: path)) } catch .notFound {
            throw .missingFile(
                name, directory: directory,
                hint: "it is part \(number + 1) of \(count) of this model")
        }
        guard try part.values.count("split.count") == count,
            try self.number(part, of: count) == number
        else {
            throw .malformed(
                path: path,
                reason: "its keys don't say that it is part \(number + 1) of \(count)")
        }
        return part
    }

    private static func check(_ parts: [GGUFPart]) throws(CheckpointError) {
        var places: [String: Int] = [:]
        for (number, part) in parts.enumerated() {
            for entry in part.entries {
                guard let other = places.updateValue(number, forKey: entry.name) else { continue }
                throw .invalidTensor(
                    entry.name,
                    reason: "stored twice, in \(FilePath.name(of: parts[other].file.path)) too",
                    path: part.file.path)
            }
        }
        let path = parts[0].file.path
        guard places.count <= CheckpointLimits.tensorCount else {
            throw .malformed(
                path: path,
                reason: "too many tensors: \(places.count) in all parts, the limit is "
                    + "\(CheckpointLimits.tensorCount)")
        }
        let expected = try parts[0].values.count("split.tensors.count")
        guard expected == nil || expected == places.count else {
            throw .malformed(
                path: path,
                reason: "'split.tensors.count' is \(expected ?? 0), the parts hold \(places.count)")
        }
    }
}
