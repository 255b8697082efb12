public import Checkpoints
import Kernels

/// Which stored types of weight matrices nothing computes with, and what these are kept in.
public struct KeptTypes: Sendable, Equatable {
    private struct Change: Hashable {
        let stored: ElementType
        let kept: WeightType
        let isExact: Bool
    }

    private var counts: [Change: Int] = [:]

    init() {}

    /// What becomes of a checkpoint's matrices as a rule, told by their types alone.
    public init(expectedOf tensors: any TensorSource) {
        for name in tensors.tensorNames {
            guard let view = tensors.tensor(name), view.shape.count > 1,
                let kept = WeightConversion.usualType(of: view.elementType)
            else { continue }
            let hasLevels = FloatReader(view.elementType)?.hasLevels ?? false
            add(view.elementType, as: kept, isExact: hasLevels)
        }
    }

    mutating func add(_ stored: ElementType, as kept: WeightType, isExact: Bool) {
        counts[Change(stored: stored, kept: kept, isExact: isExact), default: 0] += 1
    }

    /// One sentence; empty where all types stayed.
    public func warnings(file: String) -> [String] {
        guard !counts.isEmpty else { return [] }
        let changes = counts.sorted { first, second in
            (first.key.stored.rawValue, first.key.kept.rawValue)
                < (second.key.stored.rawValue, second.key.kept.rawValue)
        }
        let parts = changes.map { change, count in
            "\(count) matri\(count == 1 ? "x" : "ces") of \(change.stored.rawValue) as "
                + change.kept.rawValue + (change.isExact ? " (without loss)" : "")
        }
        return [
            "\(file): Graft doesn't compute with all of its types, and keeps "
                + parts.joined(separator: ", ")
        ]
    }

    /// Bytes of a tensor's values in memory.
    static func byteCount(of view: TensorView) -> Int {
        guard view.shape.count > 1, let kept = WeightConversion.usualType(of: view.elementType)
        else { return view.bytes.count }
        return view.elementCount / kept.blockElementCount * kept.blockByteCount
    }
}

/// Filled while matrices are read, by the one thread that reads them.
final class KeptTypesRecord {
    var types = KeptTypes()
}
