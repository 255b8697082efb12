/// Arithmetic over numbers that a file claims: nil instead of a trap.
package enum CheckedArithmetic {
    package static func product(_ left: Int, _ right: Int) -> Int? {
        let (value, overflows) = left.multipliedReportingOverflow(by: right)
        return overflows ? nil : value
    }

    static func sum(_ left: Int, _ right: Int) -> Int? {
        let (value, overflows) = left.addingReportingOverflow(right)
        return overflows ? nil : value
    }

    /// The product of the dimensions of a shape, 1 for a scalar. Overflow counts even where a later
    /// dimension is 0, so that the verdict doesn't depend on their order.
    static func elementCount(_ shape: [Int]) -> Int? {
        var count = 1
        for dimension in shape where dimension != 0 {
            guard let next = product(count, dimension) else { return nil }
            count = next
        }
        return shape.contains(0) ? 0 : count
    }

    /// `value` rounded up to a multiple of `alignment`, a power of two.
    static func roundUp(_ value: Int, to alignment: Int) -> Int? {
        sum(value, alignment - 1).map { $0 & ~(alignment - 1) }
    }
}
