internal import Checkpoints
internal import Kernels
internal import StrictJSON

extension BaseModel {
    /// Writes the base as a `model.bin`: one safetensors file with the weights in the kernels'
    /// order and configuration and tokenizer in the metadata, so that it is mapped and served at
    /// once.
    ///
    /// - Parameter progress: called with the share done, 0…1.
    /// - Throws: `TransformerError.checkpoint`; nothing is left behind then.
    public func writePacked(
        to path: String, progress: (Double) -> Void = { _ in }
    ) throws(TransformerError) {
        let regions = packedRegions
        var layout = PackedLayout()
        for region in regions { layout.entries[region.name] = region.entry }
        var metadata = tokenizer?.metadata() ?? [:]
        metadata[PackedFormat.formatKey] = PackedFormat.modelFormat
        metadata[PackedFormat.versionKey] = PackedFormat.version
        metadata[PackedFormat.configurationKey] = configurationText
        metadata[PackedFormat.layoutKey] = layout.text
        let writer = SafetensorsWriter(tensors: regions.map(\.tensor), metadata: metadata)
        do {
            try withExtendedLifetime(regions) { () throws(CheckpointError) in
                var index = 0
                try writer.write(to: path, progress: progress) {
                    (tensor, sink) throws(CheckpointError) in
                    let bytes = regions[index].bytes
                    index += 1
                    try sink.write(bytes)
                    try sink.writeZeros(count: tensor.byteCount - bytes.count)
                }
            }
        } catch { throw .checkpoint(error) }
    }

    /// Matrices, biases and gains, as `writePacked` counts them.
    public var tensorCount: Int { packedRegions.count }

    /// Every tensor of the base, in forward order; a tied head is the embedding.
    private var packedRegions: [PackedRegion] {
        var regions = [PackedRegion(slots.weightName(of: .embedding), weights.embedding)]
        if let spec = configuration.embedding.positions, let positions = weights.positions {
            regions.append(PackedRegion(spec.name + ".weight", positions))
        }
        for slot in slots.all {
            switch slot {
            case .embedding: break
            case .norm(let norm):
                regions.append(PackedRegion(slots.weightName(of: slot), gain(at: norm)))
                if let bias = bias(at: norm) {
                    regions.append(PackedRegion(slots.biasName(of: slot), bias))
                }
            case .linear(let linear):
                if matrix(at: linear) !== weights.embedding {
                    regions.append(PackedRegion(slots.weightName(of: slot), matrix(at: linear)))
                }
                if let bias = bias(at: linear) {
                    regions.append(PackedRegion(slots.biasName(of: slot), bias))
                }
            }
        }
        for (layer, sinks) in zip(configuration.layers, weights.sinks) {
            guard let name = layer.attention.sinks, let sinks else { continue }
            regions.append(PackedRegion("\(layer.name).\(name)", sinks))
        }
        return regions
    }
}

/// One tensor of a `model.bin`, padded to the alignment by its writer.
private struct PackedRegion {
    let name: String
    let entry: PackedLayout.Entry
    let bytes: UnsafeRawBufferPointer
    private let owner: AnyObject

    init(_ name: String, _ matrix: PackedMatrix) {
        self.name = name
        entry = PackedLayout.Entry(
            type: matrix.type, shape: [matrix.outputCount, matrix.inputCount])
        bytes = matrix.bytes
        owner = matrix
    }

    init(_ name: String, _ vector: [Float]) {
        self.name = name
        entry = PackedLayout.Entry(type: .f32, shape: [vector.count])
        let copy = AlignedBuffer<Float>(count: vector.count)
        vector.withUnsafeBufferPointer {
            copy.pointer.update(from: $0.baseAddress!, count: vector.count)
        }
        bytes = UnsafeRawBufferPointer(
            start: copy.pointer, count: vector.count * MemoryLayout<Float>.stride)
        owner = copy
    }

    var tensor: SafetensorsWriter.Tensor {
        let alignment = PackedFormat.alignment
        let padded = (bytes.count + alignment - 1) / alignment * alignment
        return SafetensorsWriter.Tensor(name: name, elementType: .u8, shape: [padded])
    }
}
