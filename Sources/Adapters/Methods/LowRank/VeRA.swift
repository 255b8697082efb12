internal import Transformer

/// VeRA: frozen random projections that all modules share, and trained factors of their features.
///
///     base_model.vera_A                       [rank, most inputs], where the projections are saved
///     base_model.vera_B                       [most outputs, rank], likewise
///     base_model.model.<module>.vera_lambda_d    [rank]
///     base_model.model.<module>.vera_lambda_b    [outputs]
///
/// y += λb ⊙ B (λd ⊙ A x) with the first columns of A and the first rows of B. Without
/// `save_projection` they are drawn again from `projection_prng_key`, as torch does on a CPU.
///
/// **Source**: arXiv 2310.11454; PEFT 0.21.
enum VeRA: SharedProjectionsTuner {
    static let name = "VeRA"
    static let prefix = "vera"
    static let blockCount = 1
}

/// PVeRA: VeRA whose inner features are drawn around means in training; at inference they are the
/// means.
///
///     base_model.pvera_A                          [2 · rank, most inputs], where saved
///     base_model.pvera_B                          [most outputs, rank], likewise
///     base_model.model.<module>.pvera_lambda_d    [2 · rank]: of means, then of logarithms of variances
///     base_model.model.<module>.pvera_lambda_b    [outputs]
///
/// **Source**: PEFT 0.21.
enum PVeRA: SharedProjectionsTuner {
    static let name = "PVeRA"
    static let prefix = "pvera"
    static let blockCount = 2
    static let ownTrainingOnly: Set<String> = ["generator_seed"]
    static let unsupported: [(name: String, reason: String)] = [
        (
            "sample_at_inference",
            "answers would be random: set it to false to serve the means"
        )
    ]
}
