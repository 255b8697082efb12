import Adapters
import Kernels
import StrictJSON
import Transformer

/// What an adapter becomes on a base: its operators, what they cost, and what can be done with it.
struct OperatorReport {
    let adapter: LoadedAdapter
    let listing: OperatorListing
    let composition: Composition

    /// - Parameter updateType: what the adapter's matrices are kept in, as a server would.
    /// - Throws: `AdapterError` where the adapter doesn't fit the base.
    init(path: String, base: BaseModel, updateType: UpdateType, pool: WorkerPool) throws {
        adapter = try AdapterReader.read(
            name: "adapter", path: path, slots: base.slots, base: base,
            options: AdapterOptions(updateType: updateType), pool: pool)
        listing = OperatorListing(adapter.operators, base: base)
        composition = Composition(adapter.operators, slots: base.slots)
    }

    /// Adds to what the file alone says.
    func add(to report: inout JSONObject) {
        report["targets"] = .string(adapter.targets)
        report["merges"] = .bool(adapter.operators.mergeObstacle == nil)
        report["merge_obstacle"] =
            adapter.operators.mergeObstacle.map { .string($0.reason) } ?? .null
        report["any_weight"] = .bool(composition.takesAnyWeight)
        report["beside_others"] = .bool(composition.standsBesideOthers)
        report["adds_up_with_its_kind"] = .bool(composition.addsUpWithItsKind)
        report["warnings"] = .array(adapter.warnings.map { .string($0) })
        report["memory_bytes"] = .integer(Int64(adapter.byteCount))
        report["multiply_adds"] = .integer(Int64(listing.costs.productCount))
        report["multiply_adds_of_layers"] = .integer(Int64(listing.costs.layerProductCount))
        report["bytes_of_layers"] = .integer(Int64(listing.costs.layerByteCount))
        report["operators"] = .array(listing.costs.map { .object(Self.entry($0)) })
    }

    private static func entry(_ cost: OperatorCost) -> JSONObject {
        [
            "module": .string(cost.module), "layers": .integer(Int64(cost.layerCount)),
            "form": .string(cost.form), "place": .string(cost.place.rawValue),
            "size": cost.size.map { .integer(Int64($0)) } ?? .null,
            "multiply_adds": .integer(Int64(cost.productCount)),
            "bytes": .integer(Int64(cost.byteCount)),
            "multiply_adds_of_layers": .integer(Int64(cost.layerProductCount)),
            "bytes_of_layers": .integer(Int64(cost.layerByteCount)),
        ]
    }

    /// One kind of layer, for people: what acts there, and its share of what the layers themselves
    /// multiply and hold.
    static func line(_ entry: JSONObject) -> String {
        func integer(_ key: String) -> Int { entry[key]?.intValue ?? 0 }
        let size = entry["size"]?.intValue.map { " \($0)" } ?? ""
        let what = "\(entry["module"]?.stringValue ?? "") ×\(integer("layers"))".padding(20)
        let form =
            "\(entry["form"]?.stringValue ?? "")\(size), \(entry["place"]?.stringValue ?? "")"
        return "  " + what + form.padding(36)
            + "\(integer("multiply_adds")) multiply-adds a row"
            + share(integer("multiply_adds"), of: integer("multiply_adds_of_layers"))
            + ", \(integer("bytes")) bytes"
            + share(integer("bytes"), of: integer("bytes_of_layers"))
    }

    private static func share(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "" }
        return " (\((100 * Double(part) / Double(whole)).rounded(toPlaces: 2)) %)"
    }
}
