/// Names of modules in the order in which a decoder's own definition lists them, which is the order
/// in which PEFT combines them: it matters where values are drawn at random.
enum ModuleOrder {
    /// Projections of a block of the Llama family.
    private static let projections = [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]

    static func sorted(_ modules: some Sequence<String>) -> [String] {
        modules.map { (key: Key($0), name: $0) }.sorted { $0.key < $1.key }.map(\.name)
    }

    /// True when the order of these is known, not guessed.
    static func isKnown(_ modules: some Sequence<String>) -> Bool {
        modules.allSatisfy { Key($0).isKnown }
    }

    private struct Key: Comparable {
        /// Embedding, blocks, head; then other things.
        let section: Int
        let layer: Int
        let projection: Int
        let name: String

        var isKnown: Bool { section < 3 && projection < ModuleOrder.projections.count }

        init(_ name: String) {
            self.name = name
            let parts = name.split(separator: ".")
            let leaf = parts.last.map(String.init) ?? ""
            let place = parts.firstIndex(of: "layers")
            layer = place.flatMap { $0 + 1 < parts.count ? Int(parts[$0 + 1]) : nil } ?? 0
            switch leaf {
            case "embed_tokens": (section, projection) = (0, 0)
            case "lm_head": (section, projection) = (2, 0)
            default:
                let index = ModuleOrder.projections.firstIndex(of: leaf)
                section = place == nil ? 3 : 1
                projection = index ?? ModuleOrder.projections.count
            }
        }

        static func < (first: Key, second: Key) -> Bool {
            (first.section, first.layer, first.projection, first.name)
                < (second.section, second.layer, second.projection, second.name)
        }
    }
}
