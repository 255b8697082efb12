internal import Transformer

/// Householder reflections of the inputs.
///
///     base_model.model.<module>.hra_u    [inputs, rank]
///
/// y = W M x + b with M = H1 H2 … Hr and Hi = 1 − 2 u uᵀ of the unit vector along column i; with
/// `apply_GS` the columns are made orthogonal first, one after the other. M − 1 has rank r.
///
/// **Source**: HRA, arXiv 2405.17484; the product of reflections after C. Bischof and C. Van Loan,
/// "The WY representation for products of Householder matrices", 1987; PEFT 0.21.
enum HRA: LinearTuner {
    private static let vectors = TensorPart(".hra_u")

    struct Settings {
        let rank: Int
        let orthogonalizes: Bool
    }

    static let name = "HRA"
    static let parts: [TensorPart] = [vectors]

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        Settings(
            rank: try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 8,
            orthogonalizes: try configuration.flag("apply_GS"))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let (width, rank) = (compiler.slots.shape(of: linear).inputCount, settings.rank)
        let columns = try compiler.floats(
            vectors, at: slot, shape: [width, rank],
            reason: "'r' is \(rank) and '\(module)' has \(width) inputs")
        var directions: [[Double]] = []
        for index in 0..<rank {
            let column = (0..<width).map { Double(columns[$0 * rank + index]) }
            let others = settings.orthogonalizes ? directions : []
            guard let direction = unit(column, without: others) else {
                throw .invalidValues(
                    tensor: TunerTensors.prefix + module + vectors.suffix,
                    reason: "column \(index) gives no direction to reflect along: it is zero"
                        + (settings.orthogonalizes ? ", or a sum of those before" : ""),
                    file: compiler.file)
            }
            directions.append(direction)
        }
        compiler.append(.input(map(directions, rank: rank)), at: linear)
    }

    /// The column without its parts along `others`, of length 1.
    private static func unit(_ column: [Double], without others: [[Double]]) -> [Double]? {
        var rest = column
        for other in others { add(other, times: -product(other, rest), to: &rest) }
        let length = product(rest, rest).squareRoot()
        guard length > 0 else { return nil }
        return rest.map { $0 / length }
    }

    /// M − 1 = Σ c uᵀ with c = −2 H1 … H(i−1) u for each direction u in turn.
    private static func map(_ directions: [[Double]], rank: Int) -> LowRankMap {
        var changes: [[Double]] = []
        for (index, direction) in directions.enumerated() {
            var reflected = direction
            for before in 0..<index {
                add(
                    changes[before], times: product(directions[before], direction),
                    to: &reflected)
            }
            changes.append(reflected.map { -2 * $0 })
        }
        return LowRankMap(
            a: directions.joined().map { Float($0) },
            transposedB: changes.joined().map { Float($0) }, rank: rank)
    }

    private static func product(_ left: [Double], _ right: [Double]) -> Double {
        var sum = 0.0
        for i in left.indices { sum += left[i] * right[i] }
        return sum
    }

    private static func add(_ values: [Double], times factor: Double, to sum: inout [Double]) {
        for i in sum.indices { sum[i] += factor * values[i] }
    }
}
