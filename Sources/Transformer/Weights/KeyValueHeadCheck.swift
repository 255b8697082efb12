internal import Checkpoints
internal import StrictJSON

extension DecoderSpec {
    private static let headSetting = "num_key_value_heads"

    /// Holds the number of heads of keys and values against the first layer's keys, where the
    /// configuration doesn't state it.
    ///
    /// - Throws: `TransformerError.invalidSetting` where they have other heads.
    func checkKeyValueHeads(
        _ checkpoint: BaseCheckpoint, _ slots: SlotTable
    ) throws(TransformerError) {
        let reader = SettingReader(
            object: checkpoint.configuration, file: checkpoint.tensors.path)
        guard reader.object[Self.headSetting] == nil, let key = slots.layers[0].separate?.key,
            let shape = checkpoint.tensors.tensor(slots.weightName(of: .linear(key)))?.shape,
            shape.count == 2, shape[0] != keyValueWidth
        else { return }
        throw reader.invalid(
            Self.headSetting,
            "absent, which means \(keyValueHeadCount) for \(modelType)",
            expected:
                "\(shape[0] / headDimension), as the first layer's keys have \(shape[0]) rows in heads "
                + "of \(headDimension): state it")
    }
}
