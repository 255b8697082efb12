internal import Kernels
internal import Transformer

/// Groups of a matrix's outputs whose rows are alike: k-means of its left singular vectors, as PEFT
/// begins AdaMSS.
///
/// The vectors come from a random subspace, and the first centres by lot; both draws are made
/// again. Distances depend neither on the vectors' signs nor on how equal singular values turn
/// them.
///
/// **Source**: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 5.1; torch's `svd_lowrank`;
/// scikit-learn's `KMeans` with random centres.
struct OutputGroups {
    private static let iterationCount = 10
    private static let centreSeed: UInt64 = 123_456_789
    /// Of the mean variance: centres that move less have arrived.
    private static let tolerance = 1e-4
    /// How much of the file's subspace must lie within the one found again.
    private static let agreement = 0.999

    let groupCount: Int
    /// Of the subspace.
    let width: Int
    let seed: UInt64

    /// The outputs of each group, ascending.
    ///
    /// - Parameters:
    ///   - directions: right singular vectors, in the file, **shape** [width, inputs].
    ///   - tensor: its name, for messages.
    /// - Throws: `AdapterError.invalidValues` where `directions` aren't what this base has.
    func find(
        _ linear: LinearSlot, directions: [Float], tensor: String, _ compiler: TunerCompiler
    ) throws(AdapterError) -> [[Int]] {
        let outputCount = compiler.slots.shape(of: linear).outputCount
        let inputCount = directions.count / width
        let weights = weights(linear, inputCount: inputCount, compiler)
        let reason =
            "the outputs' groups, which aren't in the file, can't be found again on this "
            + "base"
        guard
            let (left, right) = singularVectors(
                weights, rowCount: outputCount, columnCount: inputCount)
        else { throw .invalidValues(tensor: tensor, reason: reason, file: compiler.file) }
        let products = LinearAlgebra.product(
            directions.map(Double.init), right, rowCount: width, columnCount: width,
            innerCount: inputCount, transposesRight: true)
        let shared = products.reduce(0) { $0 + $1 * $1 }
        guard shared > Self.agreement * Double(width),
            let labels = labels(left, rowCount: outputCount)
        else {
            throw .invalidValues(
                tensor: tensor, reason: reason + ": its directions aren't the file's",
                file: compiler.file)
        }
        return (0..<groupCount).map { group in
            labels.indices.filter { labels[$0] == group }
        }
    }

    /// W, with the bias as a last column where there is one.
    private func weights(
        _ linear: LinearSlot, inputCount: Int, _ compiler: TunerCompiler
    ) -> [Double] {
        let base = compiler.baseMatrix(linear)
        guard let bias = compiler.base.bias(at: linear) else { return base.map(Double.init) }
        var weights: [Double] = []
        weights.reserveCapacity(bias.count * inputCount)
        for (row, value) in bias.enumerated() {
            let start = row * (inputCount - 1)
            weights += base[start..<start + inputCount - 1].map(Double.init)
            weights.append(Double(value))
        }
        return weights
    }

    /// Left vectors [rowCount, width] and right ones [width, columnCount].
    private func singularVectors(
        _ weights: [Double], rowCount: Int, columnCount: Int
    ) -> (left: [Double], right: [Double])? {
        // The algorithm is for tall matrices: of a wide one, it takes the transpose.
        let isTall = rowCount >= columnCount
        let tall = isTall ? weights : Matrices.transposed(weights, rowCount: rowCount)
        let (height, size) = (max(rowCount, columnCount), min(rowCount, columnCount))
        let wide = Matrices.transposed(tall, rowCount: height)
        var generator = TorchGenerator(seed: seed)
        var basis = generator.normal(count: size * width, deviation: 1).map(Double.init)
        for pass in 0..<3 {
            if pass > 0 { basis = orthogonal(wide, basis, rowCount: size, innerCount: height) }
            basis = orthogonal(tall, basis, rowCount: height, innerCount: size)
        }
        let transposedBasis = Matrices.transposed(basis, rowCount: height)
        let core = LinearAlgebra.product(
            transposedBasis, tall, rowCount: width, columnCount: size, innerCount: height)
        let gram = LinearAlgebra.product(
            core, core, rowCount: width, columnCount: width, innerCount: size,
            transposesRight: true)
        guard let eigen = LinearAlgebra.eigenvectors(gram, size: width) else { return nil }
        let outer = LinearAlgebra.product(
            eigen.vectors, transposedBasis, rowCount: width, columnCount: height,
            innerCount: width)
        var inner = LinearAlgebra.product(
            eigen.vectors, core, rowCount: width, columnCount: size, innerCount: width)
        for index in inner.indices {
            let value = max(0, eigen.values[index / size]).squareRoot()
            inner[index] = value > 0 ? inner[index] / value : 0
        }
        let (left, right) = isTall ? (outer, inner) : (inner, outer)
        return (Matrices.transposed(left, rowCount: width), right)
    }

    /// An orthogonal basis of what the columns of `matrix` · `basis` span, **shape** [rowCount,
    /// width].
    private func orthogonal(
        _ matrix: [Double], _ basis: [Double], rowCount: Int, innerCount: Int
    ) -> [Double] {
        let product = LinearAlgebra.product(
            matrix, basis, rowCount: rowCount, columnCount: width, innerCount: innerCount)
        return Matrices.transposed(
            OrthogonalFactor.of(
                columns: Matrices.transposed(product, rowCount: rowCount), rowCount: rowCount),
            rowCount: width)
    }
}

// k-means
extension OutputGroups {
    /// The group of each row; nil where a group would be empty.
    ///
    /// - Parameter rows: **Shape** [rowCount, width].
    private func labels(_ rows: [Double], rowCount: Int) -> [Int]? {
        let means = (0..<width).map { column in
            (0..<rowCount).reduce(0) { $0 + rows[$1 * width + column] } / Double(rowCount)
        }
        let points = rows.indices.map { rows[$0] - means[$0 % width] }
        let variance = points.reduce(0) { $0 + $1 * $1 } / Double(rowCount * width)
        var centres = firstCentres(of: rowCount).flatMap {
            points[$0 * width..<($0 + 1) * width]
        }
        var last: [Int] = []
        for _ in 0..<Self.iterationCount {
            let labels = nearest(points, centres)
            guard let moved = self.centres(points, labels) else { return nil }
            let shift = zip(moved, centres).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            centres = moved
            if labels == last { return labels }
            if shift <= variance * Self.tolerance { break }
            last = labels
        }
        return nearest(points, centres)
    }

    private func nearest(_ points: [Double], _ centres: [Double]) -> [Int] {
        (0..<points.count / width).map { row in
            var best = (group: 0, distance: Double.infinity)
            for group in 0..<groupCount {
                var distance = 0.0
                for column in 0..<width {
                    let centre = centres[group * width + column]
                    distance += centre * (centre - 2 * points[row * width + column])
                }
                if distance < best.distance { best = (group, distance) }
            }
            return best.group
        }
    }

    private func centres(_ points: [Double], _ labels: [Int]) -> [Double]? {
        var sums = [Double](repeating: 0, count: groupCount * width)
        var counts = [Int](repeating: 0, count: groupCount)
        for (row, group) in labels.enumerated() {
            counts[group] += 1
            for column in 0..<width {
                sums[group * width + column] += points[row * width + column]
            }
        }
        guard counts.allSatisfy({ $0 > 0 }) else { return nil }
        return sums.indices.map { sums[$0] / Double(counts[$0 / width]) }
    }

    /// `RandomState.choice` without replacement: what is drawn twice is drawn again.
    private func firstCentres(of rowCount: Int) -> [Int] {
        // NumPy's legacy generator and torch's begin alike.
        var generator = TorchGenerator(seed: Self.centreSeed)
        var weights = [Double](repeating: Double(1 / Float(rowCount)), count: rowCount)
        var chosen: [Int] = []
        while chosen.count < groupCount {
            for index in chosen { weights[index] = 0 }
            var sum = 0.0
            let sums = weights.map { weight in
                sum += weight
                return sum
            }
            let draws = (chosen.count..<groupCount).map { _ in
                let upper = Double(generator.bits() >> 5)
                return (upper * 0x1p26 + Double(generator.bits() >> 6)) * 0x1p-53
            }
            for draw in draws {
                let place = sums.firstIndex { $0 / sum > draw } ?? rowCount - 1
                if !chosen.contains(place) { chosen.append(place) }
            }
        }
        return chosen
    }
}
