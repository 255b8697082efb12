public import Transformer

/// What an adapter can be combined with, as plans answer when they are asked.
public struct Composition: Sendable, Equatable {
    /// True where the adapter has a meaning at every weight, not at 1 alone.
    public let takesAnyWeight: Bool
    /// True where another adapter, a change of one layer, may stand in the same request.
    public let standsBesideOthers: Bool
    /// True where two adapters of this kind add up.
    public let addsUpWithItsKind: Bool

    public init(_ operators: AdapterOperators, slots: SlotTable) {
        var other = AdapterOperators()
        let slot = LinearSlot.head
        other.linear[slot] = [
            .bias(Array(repeating: 1, count: slots.shape(of: slot).outputCount))
        ]
        func combines(_ parts: [(AdapterOperators, Float)]) -> Bool {
            let selected = parts.enumerated().map {
                SelectedOperators(
                    name: "\($0.offset)", operators: $0.element.0, weight: $0.element.1)
            }
            return (try? AdapterPlan(selected, slots: slots)) != nil
        }
        takesAnyWeight = combines([(operators, 0.5)])
        standsBesideOthers = combines([(operators, 1), (other, 1)])
        addsUpWithItsKind = combines([(operators, 1), (operators, 1)])
    }
}
