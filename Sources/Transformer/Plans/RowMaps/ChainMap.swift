import Kernels

/// M = F_n … F_1: maps one after the other, each cheaper than their product.
///
/// **Source**: GraLoRA, arXiv 2505.20355; the inverse wavelet transform of WaveFT, arXiv
/// 2505.12532.
public final class ChainMap: RowMap, @unchecked Sendable {
    private let maps: [RowMap]
    /// Floats of the largest map's own scratch.
    private let innerCount: Int

    /// - Parameter maps: in order of application; the first takes the chain's input.
    public init(_ maps: [RowMap]) {
        for (map, next) in zip(maps, maps.dropFirst()) {
            precondition(map.outputCount == next.inputCount)
        }
        self.maps = maps
        innerCount = maps.reduce(0) { max($0, $1.scratchCount) }
        super.init(inputCount: maps[0].inputCount, outputCount: maps[maps.count - 1].outputCount)
    }

    public override var byteCount: Int { maps.reduce(0) { $0 + $1.byteCount } }
    public override var productCount: Int { maps.reduce(0) { $0 + $1.productCount } }
    public override var form: String { maps[0].form + " chain" }

    override var scratchCount: Int {
        maps.dropLast().reduce(innerCount) { $0 + $1.outputCount }
    }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        var current = input
        var place = scratch + innerCount
        for index in 0..<maps.count - 1 {
            let width = maps[index].outputCount
            place.update(repeating: 0, count: width)
            maps[index].add(current, scaledBy: 1, to: place, scratch: scratch)
            current = UnsafePointer(place)
            place += width
        }
        maps[maps.count - 1].add(current, scaledBy: scale, to: output, scratch: scratch)
    }
}
