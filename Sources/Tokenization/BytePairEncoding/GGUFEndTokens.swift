import Checkpoints

extension GGUFVocabulary {
    /// Spellings of control tokens that end an answer, whatever the file's keys say.
    /// **Source:** `llama-vocab.cpp` of llama.cpp (November 2026): its list of end tokens, and of
    /// tokens around a gap that is to be filled.
    private static let endSpellings: Set<[UInt8]> = Set(
        [
            "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>",
            "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>",
            "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
            "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
            "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>",
            "<|repo_name|>",
            "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
        ].map { Array($0.utf8) })

    /// Control tokens that are spelled as end tokens are, by id.
    var spelledEndTokens: [Int] {
        guard types.count == pieces.count else { return [] }
        var found: [[UInt8]: Int] = [:]
        for (id, type) in types.enumerated() where type == 3 {
            let spelling = Array(pieces[id])
            if Self.endSpellings.contains(spelling) { found[spelling] = id }
        }
        func has(_ spelling: String) -> Bool { found[Array(spelling.utf8)] != nil }
        // In these vocabularies the one ends a message among several, and the other is text.
        let hasCall = has("<|call|>") || has("<|calls|>")
        if hasCall && (has("<|return|>") || has("<|flush|>")) { found[Array("<|end|>".utf8)] = nil }
        if has("<|tool_response>") { found[Array("</s>".utf8)] = nil }
        return found.values.sorted()
    }
}
