/// Small rearrangements of row-major matrices.
enum Matrices {
    /// - Parameter values: **Shape** [rowCount, columnCount]; the result's is [columnCount,
    ///   rowCount].
    static func transposed<Value>(_ values: [Value], rowCount: Int) -> [Value] {
        guard rowCount > 0 else { return [] }
        let columnCount = values.count / rowCount
        return [Value](unsafeUninitializedCapacity: values.count) { result, count in
            for column in 0..<columnCount {
                for row in 0..<rowCount {
                    (result.baseAddress! + column * rowCount + row).initialize(
                        to: values[row * columnCount + column])
                }
            }
            count = rowCount * columnCount
        }
    }

    /// The rows of stored bytes in another order.
    ///
    /// - Parameter sources: for each row of the result, the row that it is.
    static func rows(_ bytes: UnsafeRawBufferPointer, in sources: [Int]) -> [UInt8] {
        guard !sources.isEmpty else { return [] }
        let rowByteCount = bytes.count / sources.count
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for source in sources {
            result += bytes[(source * rowByteCount)..<((source + 1) * rowByteCount)]
        }
        return result
    }
}
