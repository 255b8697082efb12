internal import Checkpoints
internal import Kernels
internal import StrictJSON
internal import Transformer

/// What reading an adapter takes of memory at most, told by its settings and the header of its file
/// before any value is read.
struct LoadCost: Sendable, Equatable {
    /// What stays: its operators.
    var residentByteCount = 0
    /// What is there beside them while it is read: the files' bytes, values in f32, matrices of the
    /// base.
    var temporaryByteCount = 0
    /// True where whole matrices of the base are computed with; such adapters are read one at a
    /// time.
    var isHeavy = false

    var peakByteCount: Int { residentByteCount + temporaryByteCount }

    /// The same for an adapter that was there before, and took so much.
    func known(residentByteCount: Int) -> LoadCost {
        var cost = self
        cost.residentByteCount = residentByteCount
        return cost
    }
}

extension LoadCost {
    /// - Parameter file: its header suffices.
    init(_ file: AdapterFile, base: BaseModel, options: AdapterOptions) {
        let footprint = MethodFootprint(file)
        let stored = Self.storedByteCount(file, footprint, base: base)
        let largest = file.tensors.map { $0.valueCount }.max() ?? 0
        let matrices = Self.matrices(file, footprint, base: base)
        residentByteCount = Int(Double(stored) * footprint.storedFactor) + matrices.addedByteCount
        temporaryByteCount =
            file.tensors.reduce(0) { $0 + $1.byteCount }
            + MemoryLayout<Float>.stride
            * (2 * largest + footprint.matrixCount * matrices.largestValueCount)
            + matrices.drawnByteCount
        isHeavy = footprint.matrixCount > 0
        // Both are there while one becomes the other.
        if options.updateType != .file { temporaryByteCount += residentByteCount }
        for expert in file.experts {
            let cost = LoadCost(expert.file, base: base, options: options)
            // Its factors are widened, and kept beside what routes to it.
            residentByteCount += 4 * cost.residentByteCount
            temporaryByteCount += cost.temporaryByteCount
        }
    }

    /// Bytes of the stored values in the form in which operators keep them, in panels of 16 rows.
    private static func storedByteCount(
        _ file: AdapterFile, _ footprint: MethodFootprint, base: BaseModel
    ) -> Int {
        let keepsTables = base.weights.embedding.type != .f32
        let ties = file.configuration.object[TunerSettings.tyingSetting] == .bool(true)
        return file.tensors.reduce(0) { sum, tensor in
            let own = min(tensor.elementType.blockByteCount, 4)
            let isFactorA = tensor.name.hasSuffix(TensorPart.factorA.suffix)
            let isFactor = isFactorA || tensor.name.hasSuffix(TensorPart.factorB.suffix)
            let isTable = tensor.valueCount >= base.slots.vocabularyCount * base.slots.hiddenSize
            let width = isFactor && footprint.keepsFactors || isTable && keepsTables ? own : 4
            // One table may stand for two.
            let count = isTable && ties ? 2 : 1
            guard !isFactorA, tensor.shape.count == 2 else {
                return sum + count * tensor.valueCount * width
            }
            let shape = LinearShape(outputCount: tensor.shape[0], inputCount: tensor.shape[1])
            return sum + count * shape.packedValueCount * width
        }
    }

    /// What comes of shapes rather than of stored values.
    private struct Matrices {
        var addedByteCount = 0
        var drawnByteCount = 0
        /// Of the largest matrix that is computed with.
        var largestValueCount = 0
    }

    private static func matrices(
        _ file: AdapterFile, _ footprint: MethodFootprint, base: BaseModel
    ) -> Matrices {
        var matrices = Matrices()
        // Thousands of plain low-rank adapters are registered at a start.
        guard footprint.addition != .nothing || footprint.matrixCount > 0 else { return matrices }
        let modules = StoredModules(file, base: base)
        let targets = modules.targets(footprint, file)
        for (shape, tensors) in targets {
            matrices.addedByteCount += 4 * footprint.added(shape, tensors)
            matrices.drawnByteCount += 4 * footprint.drawn(shape)
        }
        matrices.addedByteCount += 4 * footprint.shared(targets.map(\.shape), base.slots)
        matrices.largestValueCount = targets.map { $0.shape.valueCount }.max() ?? 0
        return matrices
    }
}

extension AdapterTensor {
    var valueCount: Int { shape.reduce(1, *) }

    var byteCount: Int { valueCount * elementType.blockByteCount }
}

extension LinearShape {
    var valueCount: Int { outputCount * inputCount }

    /// Of a packed matrix of this shape.
    var packedValueCount: Int { (outputCount + 15) / 16 * 16 * inputCount }
}
