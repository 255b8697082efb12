import Kernels

extension BaseModel {
    /// Turns a prefix's keys as the base turns those of a token at a position: for prefixes that
    /// were trained with the sequence's first token so many positions further in front.
    ///
    /// - Parameters:
    ///   - values: **Shape** [tokenCount, layerCount, 2 (key, value), keyValueHeadCount,
    ///     headDimension].
    ///   - position: from 0.
    public func turnKeys(of values: inout [Float], tokenCount: Int, by position: Int) {
        let width = configuration.keyValueWidth
        precondition(values.count == tokenCount * configuration.layerCount * 2 * width)
        for (layer, spec) in configuration.layers.enumerated() {
            guard let rotary = spec.attention.rotary else { continue }
            var table = RotaryTable(rotary)
            table.reserve(positionCount: position + 1)
            let entry = position * rotary.dimension / 2
            values.withUnsafeMutableBufferPointer { values in
                table.withTables { cosines, sines in
                    for token in 0..<tokenCount {
                        let row = token * configuration.layerCount + layer
                        Vectors.rotary(
                            values.baseAddress! + row * 2 * width,
                            headCount: configuration.keyValueHeadCount,
                            headDimension: configuration.headDimension,
                            rotaryDimension: rotary.dimension,
                            isInterleaved: rotary.isInterleaved, cosines: cosines + entry,
                            sines: sines + entry)
                    }
                }
            }
        }
    }
}
