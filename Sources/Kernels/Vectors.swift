internal import CKernels

/// Elementwise work on rows of f32, in one fixed order whatever the instruction set.
public enum Vectors {
    /// output = input / √(mean(input²) + epsilon) ⊙ gain for each row.
    ///
    /// - Parameter input: **Shape** [rowCount, width], rows side by side; `output` likewise.
    public static func rmsNorm(
        input: UnsafePointer<Float>, gain: UnsafePointer<Float>, epsilon: Float, rowCount: Int,
        width: Int, output: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rowCount {
            gk_rms_norm(input + row * width, gain, epsilon, width, output + row * width)
        }
    }

    /// output = (input − mean) / √(variance + epsilon) ⊙ gain + bias for each row.
    ///
    /// **Source**: arXiv 1607.06450.
    ///
    /// - Parameters:
    ///   - input: **Shape** [rowCount, width], rows side by side; `output` likewise.
    ///   - bias: nil for none.
    public static func layerNorm(
        input: UnsafePointer<Float>, gain: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
        epsilon: Float, rowCount: Int, width: Int, output: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rowCount {
            gk_layer_norm(
                input + row * width, gain, bias, epsilon, width, output + row * width)
        }
    }

    /// Turns each head's pairs (i, i + headDimension / 2) by the angles of one position.
    ///
    /// - Parameters:
    ///   - heads: **Shape** [headCount, headDimension].
    ///   - cosines: **Shape** [headDimension / 2]; `sines` likewise.
    public static func rotary(
        _ heads: UnsafeMutablePointer<Float>, headCount: Int, headDimension: Int,
        cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>
    ) {
        gk_rotary(heads, headCount, headDimension, headDimension, cosines, sines)
    }

    /// Turns pairs of each head's first `rotaryDimension` values by the angles of one position; the
    /// values behind them stay.
    ///
    /// - Parameters:
    ///   - heads: **Shape** [headCount, headDimension].
    ///   - isInterleaved: the pairs are (2i, 2i + 1) instead of (i, i + rotaryDimension / 2).
    ///   - cosines: **Shape** [rotaryDimension / 2]; `sines` likewise.
    public static func rotary(
        _ heads: UnsafeMutablePointer<Float>, headCount: Int, headDimension: Int,
        rotaryDimension: Int, isInterleaved: Bool, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>
    ) {
        if isInterleaved {
            gk_rotary_neighbours(heads, headCount, headDimension, rotaryDimension, cosines, sines)
        } else {
            gk_rotary(heads, headCount, headDimension, rotaryDimension, cosines, sines)
        }
    }

    /// target += addend
    public static func add(
        _ addend: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        gk_add(addend, target, count)
    }

    /// target += factor · values
    public static func add(
        _ values: UnsafePointer<Float>, scaledBy factor: Float,
        to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        gk_scaled_add(values, factor, target, count)
    }

    /// target += factor · (diagonal ⊙ values)
    public static func add(
        _ values: UnsafePointer<Float>, times diagonal: UnsafePointer<Float>,
        scaledBy factor: Float, to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        gk_scaled_product_add(values, diagonal, factor, target, count)
    }

    /// output[o] = scale · Σ_k input[k] · W[o, k] for one row.
    public static func multiply(
        _ matrix: RowView, _ input: UnsafePointer<Float>, scaledBy scale: Float,
        output: UnsafeMutablePointer<Float>
    ) {
        var dots = gk_dot_product()
        dots.type = matrix.type
        dots.weights = matrix.bytes
        dots.outputs = matrix.outputCount
        dots.inputs = matrix.inputCount
        dots.x = input
        dots.x_stride = matrix.inputCount
        dots.rows = 1
        dots.y = output
        dots.y_stride = matrix.outputCount
        dots.scale = scale
        gk_dots(&dots)
    }

    /// output[r, o] = Σ_k input[r, k] · W[o, k], on this thread; padding outputs become 0.
    ///
    /// - Parameters:
    ///   - matrix: f32.
    ///   - output: **Shape** [rowCount, outputCount rounded up to whole panels].
    /// - isPacked: puts the result in the order of a packed f32 matrix that has the rows as its
    ///     inputs.
    public static func multiply(
        _ matrix: PackedView, _ input: UnsafePointer<Float>, inputStride: Int, rowCount: Int,
        output: UnsafeMutablePointer<Float>, isPacked: Bool
    ) {
        precondition(matrix.type == GK_F32)
        let width = Int(GK_PANEL)
        var product = gk_product()
        product.type = GK_F32
        product.packed = matrix.bytes
        product.outputs = matrix.panelCount * width
        product.inputs = matrix.inputCount
        product.x = input
        product.x_stride = inputStride
        product.rows = rowCount
        product.y_stride = isPacked ? width : product.outputs
        // The kernel moves on by a panel's width from panel to panel, a packed result by all rows.
        let step = isPacked ? (rowCount - 1) * width : 0
        for panel in 0..<(isPacked ? matrix.panelCount : 1) {
            product.first_panel = panel
            product.last_panel = isPacked ? panel + 1 : matrix.panelCount
            product.y = output + panel * step
            gk_multiply(&product)
        }
    }

    /// output[r, o] += Σ_k rows[r, k] · W[o, k], on this thread, with W as `multiply` packs it.
    ///
    /// - Parameters:
    ///   - rows: **Shape** [rowCount, inputCount].
    ///   - output: **Shape** [rowCount, outputCount].
    ///   - scratch: `productScratchCount` floats with any content.
    public static func addProduct(
        packed: UnsafePointer<Float>, outputCount: Int, inputCount: Int,
        rows: UnsafePointer<Float>, rowCount: Int, to output: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        var product = gk_product()
        product.type = GK_F32
        product.packed = UnsafeRawPointer(packed)
        product.outputs = outputCount
        product.inputs = inputCount
        product.last_panel = (outputCount + Int(GK_PANEL) - 1) / Int(GK_PANEL)
        product.x = rows
        product.x_stride = inputCount
        product.rows = rowCount
        product.y = output
        product.y_stride = outputCount
        product.accumulate = 1
        product.scratch = scratch
        gk_multiply(&product)
    }

    /// Floats that `addProduct` needs for itself.
    public static var productScratchCount: Int { Int(GK_SCRATCH_FLOATS) }

    /// Outputs rounded up to whole panels.
    public static func paddedCount(_ outputCount: Int) -> Int {
        (outputCount + Int(GK_PANEL) - 1) / Int(GK_PANEL) * Int(GK_PANEL)
    }

    /// values *= factor
    public static func scale(_ values: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
        gk_scale(values, factor, count)
    }

    /// The first index of the largest value; `count` > 0.
    public static func indexOfMaximum(_ values: UnsafePointer<Float>, count: Int) -> Int {
        gk_index_of_maximum(values, count)
    }

    /// The first index from `start` on whose value is `threshold` or more; nil when there is none.
    public static func firstIndex(
        atLeast threshold: Float, in values: UnsafePointer<Float>, from start: Int, count: Int
    ) -> Int? {
        let index = gk_index_at_least(values, start, count, threshold)
        return index < count ? index : nil
    }

    /// The first index up to which values add up to more than `wanted`; nil when they never do.
    ///
    /// - Parameter values: 0 or more each.
    public static func firstIndex(
        whereSumExceeds wanted: Double, in values: UnsafePointer<Float>, count: Int
    ) -> Int? {
        let index = gk_index_of_sum(values, count, wanted)
        return index < count ? index : nil
    }

    /// log Σ exp(values); `count` > 0.
    public static func logSumExp(_ values: UnsafePointer<Float>, count: Int) -> Float {
        gk_log_sum_exp(values, count)
    }

    /// values = exp(values − maximum); returns their sum.
    public static func exponentials(
        _ values: UnsafeMutablePointer<Float>, minus maximum: Float, count: Int
    ) -> Float {
        gk_exponentials(values, maximum, count)
    }
}
