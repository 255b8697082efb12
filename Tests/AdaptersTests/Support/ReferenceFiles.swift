import Checkpoints
import Foundation
import StrictJSON

/// What the generators under tools/ have written for the tests.
enum ReferenceFiles {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static func path(_ relative: String) -> String { root + "/Tests/Goldens/" + relative }

    static func model(_ name: String) -> String { root + "/models/" + name }

    static func object(_ relative: String) throws -> JSONObject {
        let text = try String(contentsOfFile: path(relative), encoding: .utf8)
        return try JSONValue(parsing: text).objectValue ?? [:]
    }
}

/// Tensors of a file in f32, by name.
struct StoredTensors {
    let shapes: [String: [Int]]
    let values: [String: [Float]]

    init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        var shapes: [String: [Int]] = [:]
        var values: [String: [Float]] = [:]
        for name in file.tensorNames {
            let tensor = try file.requiredTensor(name)
            shapes[name] = tensor.shape
            values[name] = try tensor.floats()
        }
        self.shapes = shapes
        self.values = values
    }

    var names: [String] { shapes.keys.sorted() }

    /// Left · right of two stored matrices.
    func product(_ left: String, _ right: String) -> [Float] {
        guard let leftShape = shapes[left], let rightShape = shapes[right], let b = values[left],
            let a = values[right]
        else { return [] }
        // PEFT cuts A and B to different ranks where a side is shorter than the rank.
        let (rows, inner, columns) = (
            leftShape[0], min(leftShape[1], rightShape[0]), rightShape[1]
        )
        var result = [Float](repeating: 0, count: rows * columns)
        for row in 0..<rows {
            for index in 0..<inner {
                let factor = b[row * leftShape[1] + index]
                for column in 0..<columns {
                    result[row * columns + column] += factor * a[index * columns + column]
                }
            }
        }
        return result
    }
}

/// The largest difference of two lists; infinite where their lengths differ.
func largestDifference(_ first: [Float], _ second: [Float]) -> Float {
    guard first.count == second.count else { return .infinity }
    return zip(first, second).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
