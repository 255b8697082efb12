internal import StrictJSON

extension PlainLoRA {
    /// Rank and scaling of each module, as a configuration gives them.
    struct Settings {
        /// A rank above this is a mistake, not a low rank.
        static let rankLimit = 1 << 15
        private static let patternCountLimit = 4096

        /// The largest rank that the configuration names.
        let largestRank: Int
        private let stabilizesRank: Bool
        private let ranks: ModuleValues<Int>
        private let alphas: ModuleValues<Double>

        /// - Throws: `AdapterError` for settings of another type or out of range.
        init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
            stabilizesRank = try configuration.flag("use_rslora")
            let rank = try configuration.count("r", limit: Self.rankLimit)
            guard let alpha = configuration.value("lora_alpha") else {
                throw .missingSetting("lora_alpha", file: configuration.file)
            }
            var largest = rank
            var ranks = ModuleValues(standard: rank)
            let file = configuration.file
            let limit = Self.patternCountLimit
            for (key, value) in try configuration.members("rank_pattern", limit: limit) {
                let rank = try configuration.count(
                    value, name: "rank_pattern", limit: Self.rankLimit)
                largest = max(largest, rank)
                try ranks.append(key, rank, setting: "rank_pattern", file: file)
            }
            var alphas = ModuleValues(
                standard: try configuration.number(alpha, name: "lora_alpha"))
            for (key, value) in try configuration.members("alpha_pattern", limit: limit) {
                try alphas.append(
                    key, try configuration.number(value, name: "alpha_pattern"),
                    setting: "alpha_pattern", file: file)
            }
            largestRank = largest
            self.ranks = ranks
            self.alphas = alphas
        }

        func rank(of module: String) throws(AdapterError) -> Int { try ranks.value(for: module) }

        /// What B A x is multiplied with.
        func scaling(of module: String) throws(AdapterError) -> Double {
            let rank = Double(try ranks.value(for: module))
            let alpha = try alphas.value(for: module)
            return stabilizesRank ? alpha / rank.squareRoot() : alpha / rank
        }
    }

    /// A tensor's place in PEFT's layout; the raw value is how its name ends after the module's.
    enum TensorPart: String, CaseIterable {
        case a = ".lora_A.weight"
        case b = ".lora_B.weight"
        case embeddingA = ".lora_embedding_A"
        case embeddingB = ".lora_embedding_B"
        /// A copy of the base's own table, saved along with a targeted embedding or head.
        case baseTable = ".base_layer.weight"
    }

    /// Refuses an adapter whose loading would change the base first.
    static func checkInitialization(
        _ configuration: inout AdapterConfiguration, _ purpose: Purpose
    ) throws(AdapterError) {
        let name = "init_lora_weights"
        guard let method = configuration.value(name)?.stringValue?.lowercased() else { return }
        let changing = ["pissa", "olora", "corda", "lora_ga", "loftq"]
        guard changing.contains(where: method.hasPrefix) else { return }
        throw purpose.refusal(
            "'\(name)' is \"\(method)\": its training began by changing the base's weights; convert it "
                + "to plain LoRA with PEFT's "
                + "save_pretrained(path_initial_model_for_weight_conversion=…)")
    }
}
