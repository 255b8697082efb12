internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Granite's block with experts in place of the feed-forward part. Checkpoints have the matrices of
/// all experts in two tensors.
///
/// **Source**: arXiv 2405.04324; `GraniteMoeConfig` of transformers 5.
enum GraniteMoE: Architecture {
    static let modelTypes = ["granitemoe"]
    static let keys: [KnownKey] = Granite.keys + ExpertSettings.keys

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(reader, positionCount: 2048)
        let experts = try ExpertSettings(
            settings, countName: "num_local_experts", count: 8, topCount: 2)
        let (width, hiddenSize) = (experts.width, settings.hiddenSize)
        func linear(
            _ expert: Int, _ name: String, _ outputCount: Int, _ inputCount: Int
        ) -> LinearSpec {
            var linear = LinearSpec(
                "block_sparse_moe.experts.\(expert).\(name)", outputCount: outputCount,
                inputCount: inputCount)
            linear.stacked = StackedTensor(
                name: "block_sparse_moe.\(name).weight", biasName: nil, index: expert,
                count: experts.count, rows: 0..<outputCount, rowCount: outputCount,
                isTransposed: false, isAlternative: false)
            return linear
        }
        let spec = experts.experts(
            router: "block_sparse_moe.router.layer", normalizesWeights: true
        ) { expert in
            ExpertSpec(
                inputs: .fusedGated(linear(expert, "input_linear", 2 * width, hiddenSize)),
                down: linear(expert, "output_linear", hiddenSize, width))
        }
        return try Granite.decoder(settings, experts.feedForward("block_sparse_moe", spec))
    }
}
