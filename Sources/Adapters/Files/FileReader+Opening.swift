internal import Glibc

// Every file is found and opened here.
extension FileReader {
    /// What stands at the path, symbolic links followed; nil: nothing.
    func status(of path: String) throws(AdapterError) -> stat? {
        try checkIsPath(path)
        guard bounds.isEmpty else {
            var walk = PathWalk(inside: bounds)
            do throws(PathWalk.Failure) { return try walk.status(of: path) } catch {
                guard case .missing = error else { throw failure(error, path) }
                return nil
            }
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .unreadable(path: path, reason: Self.errorText())
        }
        return status
    }

    /// An open regular file; whatever else is there isn't opened, since opening alone changes some
    /// devices.
    struct OpenFile: ~Copyable {
        let descriptor: Int32
        let status: stat

        deinit { if descriptor >= 0 { close(descriptor) } }
    }

    /// - Throws: `AdapterError.notRegularFile`, `.unreadable`, and as `kind(of:)`.
    func open(_ path: String) throws(AdapterError) -> OpenFile {
        try checkIsPath(path)
        let file: OpenFile
        if bounds.isEmpty {
            file = try openAnywhere(path)
        } else {
            var walk = PathWalk(inside: bounds)
            do throws(PathWalk.Failure) {
                let found = try walk.open(path)
                file = OpenFile(descriptor: found.descriptor, status: found.status)
            } catch { throw failure(error, path) }
        }
        let kind = Self.kind(file.status)
        guard kind == .regular, file.descriptor >= 0 else {
            throw .notRegularFile(path: path, found: kind.description)
        }
        return file
    }

    private func openAnywhere(_ path: String) throws(AdapterError) -> OpenFile {
        var found = stat()
        guard stat(path, &found) == 0 else {
            throw .unreadable(path: path, reason: Self.errorText())
        }
        guard Self.kind(found) == .regular else { return OpenFile(descriptor: -1, status: found) }
        let descriptor = Glibc.open(path, Self.openFlags)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: Self.errorText()) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let reason = Self.errorText()
            close(descriptor)
            throw .unreadable(path: path, reason: reason)
        }
        return OpenFile(descriptor: descriptor, status: status)
    }

    private func checkIsPath(_ path: String) throws(AdapterError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw .unreadable(path: path.replacing("\0", with: "\\0"), reason: "not a path")
        }
    }

    private func failure(_ failure: PathWalk.Failure, _ path: String) -> AdapterError {
        switch failure {
        case .missing: .unreadable(path: path, reason: Self.errorText(ENOENT))
        case .outside(let bound):
            hasRoot && bound === bounds[0]
                ? .outsideRoot(path: path) : .outsideMixture(path: path, mixture: bound.path)
        case .system(let code): .unreadable(path: path, reason: Self.errorText(code))
        case .tooDeep:
            .unreadable(
                path: path, reason: "it lies more than \(PathWalk.depthLimit) directories deep")
        }
    }
}
