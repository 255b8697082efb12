/// Rank and scaling of each module, as several methods have them: `r` with `rank_pattern`, and
/// `alpha` with `alpha_pattern`.
struct RankSettings {
    /// Of modules that no pattern matches.
    let standardRank: Int
    private let ranks: ModuleValues<Int>
    private let alphas: ModuleValues<Double>

    /// - Parameters:
    ///   - rank: PEFT's standard one for the method.
    ///   - alpha: PEFT's standard one; nil for a method without scaling.
    init(
        _ configuration: inout AdapterConfiguration, rank: Int, alpha: Double? = nil
    ) throws(AdapterError) {
        let limit = LoRASettings.rankLimit
        standardRank = try configuration.optionalCount("r", limit: limit) ?? rank
        ranks = try configuration.moduleValues("rank_pattern", standard: standardRank) {
            (value, configuration) throws(AdapterError) in
            try configuration.count(value, name: "rank_pattern", limit: limit)
        }
        guard let alpha else {
            alphas = ModuleValues(standard: 1)
            return
        }
        let standard = try configuration.number("alpha", standard: alpha)
        alphas = try configuration.moduleValues("alpha_pattern", standard: standard) {
            (value, configuration) throws(AdapterError) in
            try configuration.number(value, name: "alpha_pattern")
        }
    }

    func rank(of module: String) throws(AdapterError) -> Int { try ranks.value(for: module) }

    /// alpha / rank
    func scaling(of module: String) throws(AdapterError) -> Float {
        Float(try alphas.value(for: module) / Double(try ranks.value(for: module)))
    }
}
