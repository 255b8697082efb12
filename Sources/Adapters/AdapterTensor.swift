internal import Checkpoints

/// One tensor of an adapter, in memory of its own.
struct AdapterTensor: Sendable {
    private let view: TensorView

    init(_ view: TensorView) { self.view = view }

    /// As the file spells it.
    var name: String { view.name }
    /// Row-major.
    var shape: [Int] { view.shape }
    var elementType: ElementType { view.elementType }
    /// Name, type and shape as the content's hash takes them.
    var hashedFacts: [UInt8] {
        ContentHasher.framed(
            name, elementType.rawValue, shape.map(String.init).joined(separator: ","))
    }
    /// Which of its file's bytes are its values.
    var place: Range<Int> {
        guard let file = view.owner.bytes.baseAddress, let values = view.bytes.baseAddress else {
            return 0..<0
        }
        return values - file..<values - file + view.bytes.count
    }
    /// All of its file, as far as that was read.
    var file: MappedFile { view.owner }

    /// The same tensor under another name.
    func renamed(_ name: String) -> AdapterTensor { AdapterTensor(view.renamed(name)) }

    /// The same tensor with zeros for values, which take no memory.
    ///
    /// - Throws: `AdapterError.damagedFile` when there is no room for them.
    func withoutValues(file: String) throws(AdapterError) -> AdapterTensor {
        do throws(CheckpointError) {
            return AdapterTensor(
                try TensorView(
                    name: name, elementType: elementType, zerosOfShape: shape, path: file))
        } catch { throw .damagedFile(error.description) }
    }

    /// Whether shape, type and every bit are those of another tensor.
    func equals(_ other: AdapterTensor) -> Bool {
        shape == other.shape && elementType == other.elementType
            && withBytes { own in other.withBytes { own.elementsEqual($0) } }
    }

    /// Calls `body` with the stored bytes, which are valid during the call only.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withExtendedLifetime(view.owner) { body(view.bytes) }
    }

    /// The values in f32; bf16 and f16 are widened exactly.
    ///
    /// - Throws: `AdapterError.unsupportedType`, `.notFinite`.
    func floats(file: String) throws(AdapterError) -> [Float] {
        let values: [Float]
        do { values = try view.floats() } catch {
            throw unsupportedType(elementType.rawValue, file: file)
        }
        try checkFinite(file: file)
        guard values.allSatisfy(\.isFinite) else {
            throw unsupportedType("\(elementType.rawValue) beyond the range of F32", file: file)
        }
        return values
    }

    /// - Throws: `AdapterError.unsupportedType` where the values couldn't be widened.
    func checkType(file: String) throws(AdapterError) {
        switch elementType {
        case .f64, .f32, .f16, .bf16: break
        default: throw unsupportedType(elementType.rawValue, file: file)
        }
    }

    /// - Throws: `AdapterError.notFinite`.
    func checkFinite(file: String) throws(AdapterError) {
        guard let summary = view.nonFiniteSummary() else { return }
        throw .notFinite(tensor: name, count: summary.count, first: summary.first, file: file)
    }

    private func unsupportedType(_ found: String, file: String) -> AdapterError {
        .unsupportedType(
            tensor: name, found: found, supported: "F32, F16, BF16 and F64", file: file)
    }
}
