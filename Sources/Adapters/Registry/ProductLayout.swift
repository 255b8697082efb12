internal import Checkpoints
internal import Kernels
internal import Synchronization
internal import Transformer

/// Where a file has the factors of an adapter that is nothing but products of them: what comes from
/// a file that begins with the same bytes needn't be parsed, nor compiled.
struct ProductLayout: Hashable, Sendable {
    struct Tensor: Hashable, Sendable {
        /// Name, type and shape as the content's hash takes them.
        let hashedFacts: [UInt8]
        let elementType: ElementType
        let outputCount: Int
        let inputCount: Int
        /// Which of the file's bytes it is.
        let place: Range<Int>
    }

    /// A file of the tokenizer's among the tensors.
    struct StoredFile: Hashable, Sendable {
        let name: String
        let place: Range<Int>
    }

    /// A product of two of the tensors, by their numbers.
    struct Product: Hashable, Sendable {
        let slot: LinearSlot
        let a, b: Int
        let scaling: Float
    }

    /// The bytes in front of the tensors'.
    let header: [UInt8]
    let fileByteCount: Int
    /// In the order of the content's hash.
    let tensors: [Tensor]
    let products: [Product]
    /// The tokenizer's files in it, sorted by name.
    private let stored: [StoredFile]

    /// - Returns: nil for an adapter that is more than its products, or whose file is of another
    ///   kind.
    init?(_ file: AdapterFile, _ compiled: CompiledAdapter) {
        guard file.isSafetensors, file.experts.isEmpty,
            let content = file.tensors.first?.file,
            file.tensors.count == 2 * compiled.products.count,
            compiled.operators.holdsOnlyUpdates(of: Set(compiled.products.map(\.slot)))
        else { return nil }
        var numbers: [String: Int] = [:]
        var tensors: [Tensor] = []
        for tensor in file.tensors {
            guard tensor.shape.count == 2,
                let type = WeightType(rawValue: tensor.elementType.rawValue),
                type.blockElementCount == 1
            else { return nil }
            numbers[tensor.name] = tensors.count
            tensors.append(
                Tensor(
                    hashedFacts: tensor.hashedFacts, elementType: tensor.elementType,
                    outputCount: tensor.shape[0], inputCount: tensor.shape[1], place: tensor.place))
        }
        var products: [Product] = []
        for product in compiled.products {
            guard let a = numbers.removeValue(forKey: product.a),
                let b = numbers.removeValue(forKey: product.b)
            else { return nil }
            products.append(Product(slot: product.slot, a: a, b: b, scaling: product.scaling))
        }
        stored = file.storedFiles.map {
            StoredFile(
                name: String($0.name.dropFirst(AdapterFile.storedFilePrefix.count)), place: $0.place
            )
        }.sorted { $0.name < $1.name }
        let places = tensors.map(\.place) + stored.map(\.place)
        let start = places.map(\.lowerBound).min() ?? 0
        header = withExtendedLifetime(content) { [UInt8](content.bytes[..<start]) }
        fileByteCount = content.bytes.count
        self.tensors = tensors
        self.products = products
    }

    /// - Parameter bytes: a file that begins with `header`.
    func areFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
        tensors.allSatisfy {
            $0.elementType.areFinite(UnsafeRawBufferPointer(rebasing: bytes[$0.place]))
        }
    }

    /// Continues the hash of an adapter's content with its tensors.
    func hash(_ bytes: UnsafeRawBufferPointer, into hasher: inout ContentHasher) {
        for tensor in tensors {
            hasher.append(tensor.hashedFacts)
            hasher.update(UnsafeRawBufferPointer(rebasing: bytes[tensor.place]))
        }
    }

    /// Of the tokenizer's files in the file.
    func storedDigests(_ bytes: UnsafeRawBufferPointer) -> [TokenizerFileDigest] {
        stored.map {
            TokenizerFileDigest(
                name: $0.name,
                digest: TokenizerFileDigest.digest(
                    UnsafeRawBufferPointer(rebasing: bytes[$0.place])))
        }
    }

    func storedFiles(_ bytes: UnsafeRawBufferPointer, path: String) -> TokenizerFileSet {
        var files = TokenizerFileSet(contents: [:], directory: path)
        for file in stored { files.contents[file.name] = [UInt8](bytes[file.place]) }
        return files
    }

    /// The products of a file's matrices, packed.
    func operators(_ bytes: UnsafeRawBufferPointer) -> AdapterOperators {
        var operators = AdapterOperators()
        operators.linear.reserveCapacity(products.count)
        for product in products {
            operators.linear[product.slot] = [
                .lowRank(
                    LowRankOperator(
                        a: RowMatrix(copying: matrix(product.a, bytes)),
                        b: PackedMatrix(packing: matrix(product.b, bytes), pool: nil),
                        scaling: product.scaling))
            ]
        }
        return operators
    }

    private func matrix(_ number: Int, _ bytes: UnsafeRawBufferPointer) -> WeightMatrix {
        let tensor = tensors[number]
        return WeightMatrix(
            pointer: bytes.baseAddress! + tensor.place.lowerBound,
            type: WeightType(rawValue: tensor.elementType.rawValue)!,
            outputCount: tensor.outputCount, inputCount: tensor.inputCount)
    }
}

extension AdapterOperators {
    /// True for an adapter that does nothing but change these linear layers, each by one operator
    /// at most.
    func holdsOnlyUpdates(of slots: Set<LinearSlot>) -> Bool {
        Set(linear.keys) == slots && linear.values.allSatisfy { $0.count <= 1 } && norms.isEmpty
            && normBiases.isEmpty
            && embedding.isEmpty && gatedPrefixes.isEmpty && bottlenecks.isEmpty && prefix == nil
            && vocabulary == nil && activation == nil && companion == nil && stateLayers.isEmpty
            && repeatedBase == nil
    }
}

/// Layouts that many adapters have.
final class ProductLayouts: Sendable {
    /// Each takes some tens of KB; adapters of further ones are parsed whenever they come back.
    private static let countLimit = 64
    private let layouts = Mutex<Set<ProductLayout>>([])

    /// The same layout in the memory in which it lies already; nil where there are too many.
    func shared(_ layout: ProductLayout) -> ProductLayout? {
        layouts.withLock { layouts in
            if let index = layouts.firstIndex(of: layout) { return layouts[index] }
            guard layouts.count < Self.countLimit else { return nil }
            layouts.insert(layout)
            return layout
        }
    }
}
