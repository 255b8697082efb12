internal import StrictJSON
internal import Transformer

/// WaveFT: a few trained wavelet coefficients of a matrix, at places drawn from a seed.
///
///     base_model.model.<module>.waveft_spectrum    [count]
///
/// The matrix is the inverse transform of one level, or, without `use_idwt`, the coefficients
/// themselves. Of a transform, a coefficient at (u, v) is an outer product of the filters' shifts
/// for u and for v, so that inputs go through the filters of the columns in use, the coefficients,
/// and the filters of the rows in use.
///
/// **Source**: arXiv 2505.12532; PEFT 0.21.
enum WaveFT: LinearTuner {
    private static let spectrum = TensorPart(".waveft_spectrum")

    struct Settings {
        let seed: UInt64
        let scaling: Float
        /// nil: coefficients are the matrix itself.
        let filter: [Double]?
        let isProportional: Bool
        let counts: ModuleValues<Int>
        let standardCount: Int
        /// Of all targeted modules.
        var weightCount = 0
        var moduleCount = 0

        /// Coefficients of a module.
        func count(_ shape: LinearShape, _ module: String) throws(AdapterError) -> Int {
            guard isProportional else { return try counts.value(for: module) }
            let share = Double(shape.outputCount * shape.inputCount) / Double(weightCount)
            let count = share * Double(standardCount * moduleCount)
            return max(1, Int(count.rounded(.toNearestOrEven)))
        }
    }

    static let name = "WaveFT"
    static let servesConv1D = true
    static let parts: [TensorPart] = [spectrum]

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        for linear in try compiler.targetedLinearSlots() {
            let shape = compiler.slots.shape(of: linear)
            settings.weightCount += shape.outputCount * shape.inputCount
            settings.moduleCount += 1
        }
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = 1 << 31
        let count = try configuration.optionalCount("n_frequency", limit: limit) ?? 2592
        let counts = try configuration.moduleValues("n_frequency_pattern", standard: count) {
            (value, configuration) throws(AdapterError) in
            try configuration.count(value, name: "n_frequency_pattern", limit: limit)
        }
        let usesTransform = try configuration.flag("use_idwt", standard: true)
        return Settings(
            seed: try configuration.seed("random_loc_seed", standard: 777),
            scaling: Float(try configuration.number("scaling", standard: 25)),
            filter: try filter(&configuration, isUsed: usesTransform),
            isProportional: try configuration.flag("proportional_parameters"), counts: counts,
            standardCount: count)
    }

    private static func filter(
        _ configuration: inout AdapterConfiguration, isUsed: Bool
    ) throws(AdapterError) -> [Double]? {
        let name = "wavelet_family"
        let family = try configuration.text(name) ?? "db1"
        guard isUsed else { return nil }
        if let filter = WaveletFilters.synthesis(family) { return filter }
        if family == "coif4" || family == "coif5" {
            throw .unsupportedSetting(
                name, value: "\"\(family)\"",
                reason: "PEFT's coefficients for it are no wavelet's; its own merge of the adapter "
                    + "can be served", file: configuration.file)
        }
        throw configuration.invalid(
            name, .string(family), expected: "db1 to db10, sym2 to sym10, or coif1 to coif3")
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let count = try settings.count(shape, module)
        let weightCount = shape.outputCount * shape.inputCount
        guard count <= weightCount else {
            throw .invalidSetting(
                "n_frequency", value: "\(count)",
                expected: "at most \(weightCount), the weights of '\(module)'",
                file: compiler.configurationFile)
        }
        let values = try compiler.floats(
            spectrum, at: slot, shape: [count],
            reason: "'n_frequency' and its patterns give '\(module)' \(count) coefficients")
        var generator = TorchGenerator(seed: settings.seed)
        let places = generator.permutation(of: weightCount, first: count)
        let coefficients = zip(places, values).map {
            Coefficient(
                row: $0 / shape.inputCount, column: $0 % shape.inputCount,
                value: settings.scaling * $1)
        }
        compiler.append(.update(map(coefficients, shape, settings.filter)), at: linear)
    }

    private struct Coefficient {
        let row: Int
        let column: Int
        let value: Float
    }

    private static func map(
        _ coefficients: [Coefficient], _ shape: LinearShape, _ filter: [Double]?
    ) -> RowMap {
        guard let filter else {
            return SparseMap(
                inputCount: shape.inputCount, outputCount: shape.outputCount,
                entries: coefficients.map { ($0.row, $0.column, $0.value) })
        }
        let rows = Grid(width: shape.outputCount, filter: filter)
        let columns = Grid(width: shape.inputCount, filter: filter)
        // PEFT hands the upper right quarter to the filter that is high-pass along rows' side, so
        // that each side's filter follows from the half of the other.
        let places = coefficients.map {
            (
                row: rows.place($0.row, isHigh: columns.isUpper($0.column)),
                column: columns.place($0.column, isHigh: rows.isUpper($0.row))
            )
        }
        let synthesis = Synthesis(places: places.map(\.row), rows)
        let analysis = Synthesis(places: places.map(\.column), columns)
        let entries = zip(places, coefficients).map {
            (
                synthesis.indices[$0.row] ?? 0, analysis.indices[$0.column] ?? 0, $1.value
            )
        }
        return ChainMap([
            analysis.toCoefficients,
            SparseMap(
                inputCount: analysis.indices.count, outputCount: synthesis.indices.count,
                entries: entries),
            synthesis.toRow,
        ])
    }

    /// One side of the coefficients, of which the lower half begins as low-pass, the upper as
    /// high-pass. The matrix's lie in the middle of a side that is longer by the filter, and even.
    private struct Grid {
        let width: Int
        let filter: [Double]

        /// Of coefficients, in each half.
        var halfCount: Int { (width + filter.count - 1) / 2 }
        private var offset: Int { (2 * halfCount - width) / 2 }

        func isUpper(_ index: Int) -> Bool { index + offset >= halfCount }

        /// The place within its half, after all low-pass ones where it is high-pass.
        func place(_ index: Int, isHigh: Bool) -> Int {
            (index + offset) % halfCount + (isHigh ? halfCount : 0)
        }
    }

    /// One side of the inverse transform: which values of a row the coefficients in use reach.
    private struct Synthesis {
        /// From places of coefficients to numbers in order.
        let indices: [Int: Int]
        private let width: Int
        private let entries: [(place: Int, index: Int, value: Float)]

        /// Coefficient u of a half reaches the values from 2 u on, of which length − 2 are cut off.
        init(places: [Int], _ grid: Grid) {
            width = grid.width
            let used = Set(places).sorted()
            indices = Dictionary(uniqueKeysWithValues: zip(used, used.indices))
            let filter = grid.filter
            var entries: [(place: Int, index: Int, value: Float)] = []
            for (index, place) in used.enumerated() {
                let first = 2 * (place % grid.halfCount) - (filter.count - 2)
                for tap in filter.indices where (0..<width).contains(first + tap) {
                    let high = (tap % 2 == 0 ? 1 : -1) * filter[filter.count - 1 - tap]
                    let value = place < grid.halfCount ? filter[tap] : high
                    entries.append((first + tap, index, Float(value)))
                }
            }
            self.entries = entries
        }

        var toCoefficients: SparseMap {
            SparseMap(
                inputCount: width, outputCount: indices.count,
                entries: entries.map { ($0.index, $0.place, $0.value) })
        }

        var toRow: SparseMap {
            SparseMap(
                inputCount: indices.count, outputCount: width,
                entries: entries.map { ($0.place, $0.index, $0.value) })
        }
    }
}
