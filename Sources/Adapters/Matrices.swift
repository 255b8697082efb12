/// Small rearrangements of row-major matrices.
enum Matrices {
    /// - Parameter values: **Shape** [rowCount, columnCount]; the result's is [columnCount, rowCount].
    static func transposed(_ values: [Float], rowCount: Int) -> [Float] {
        guard rowCount > 0 else { return [] }
        let columnCount = values.count / rowCount
        var result = [Float](repeating: 0, count: values.count)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                result[column * rowCount + row] = values[row * columnCount + column]
            }
        }
        return result
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
