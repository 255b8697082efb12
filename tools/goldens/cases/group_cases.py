"""Tokens that an adapter's files add inside the rows with which its base is padded."""

import json

from cases.common import FOLDER, PADDED_TOKEN_COUNT, PLAIN, TOKENS, load_base, logprobs, plain_tensors

ADDED = ["<|law|>", "<|end|>", "<|note|>"]
TEXTS = ["the license", "the <|law|> license", "<|end|>", "free<|note|> software <|law|><|end|>"]


def case_padded_vocabulary(case):
    """Ids 93 to 95 are rows of the base without a token: the adapter's files give them theirs."""
    from peft import PeftModel
    from transformers import AutoTokenizer

    case.tokens = TOKENS[:12] + list(range(PADDED_TOKEN_COUNT, PADDED_TOKEN_COUNT + len(ADDED)))
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "bases" / "L3p")
    assert len(tokenizer) == PADDED_TOKEN_COUNT
    tokenizer.add_special_tokens({"additional_special_tokens": ADDED})
    texts = [{"text": text, "tokens": tokenizer(text)["input_ids"]} for text in TEXTS]
    for variant in ("whole", "added"):
        folder = case.add(variant, PLAIN, plain_tensors("L3p"))
        if variant == "whole":
            tokenizer.save_pretrained(folder)
        else:
            # What older trainers leave beside the base's own files.
            (folder / "added_tokens.json").write_text(json.dumps(
                {token: PADDED_TOKEN_COUNT + at for at, token in enumerate(ADDED)}, indent=1) + "\n")
            (folder / "special_tokens_map.json").write_text(json.dumps(
                {"additional_special_tokens": ADDED}, indent=1) + "\n")
        model = PeftModel.from_pretrained(load_base("L3p"), folder).eval()
        case.served(variant, base="L3p", expected=logprobs(model, case.tokens))
    (case.folder / "texts.json").write_text(
        json.dumps(texts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
