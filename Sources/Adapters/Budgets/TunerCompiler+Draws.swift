internal import Transformer

extension TunerCompiler {
    /// Values that are drawn from a seed aren't in the file, whose size bounds all else.
    ///
    /// - Parameters:
    ///   - count: of values; nil where there are too many to count.
    ///   - setting: which is false, so that they are drawn.
    /// - Throws: `AdapterError.unsupportedSetting`.
    func checkDrawn(_ count: Int?, setting: String) throws(AdapterError) {
        let limit = AdapterLimits.drawnValueCount
        guard let count, count <= limit else {
            throw .unsupportedSetting(
                setting, value: "false",
                reason:
                    "\(count.map(String.init) ?? "too many") values would have to be drawn, and "
                    + "\(limit) is the most; save the adapter with \(setting) set",
                file: configurationFile)
        }
    }
}

extension Int {
    /// A product; nil where it overflows.
    static func product(_ factors: Int...) -> Int? {
        var product = 1
        for factor in factors {
            let (next, overflows) = product.multipliedReportingOverflow(by: factor)
            if overflows { return nil }
            product = next
        }
        return product
    }
}
