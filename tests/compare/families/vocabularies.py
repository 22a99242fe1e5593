"""Tiny tokenizers in the real form of each family, trained on a few sentences."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

SENTENCES = [
    "The quick brown fox jumps over the lazy dog while the other dogs sleep in the warm sun.",
    "A picture shows a small red house near the river, and two people walk on the bridge.",
    "User: What is in this picture? Assistant: There is a cat on the table and a dog under it.",
    "In 1859 the engine was tested; in 1903 it flew, and by 2024 there were many thousands.",
    "He said that they had seen the same thing before, but she did not think it was the same.",
    "The weather is nice and the children are singing in the garden with their mother.",
    "Describe the image. What colour is the car? The car is green, and the sky is blue.",
]

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def special(text, **flags):
    return AddedToken(text, special=True, normalized=False, **flags)


def template(token, token_id):
    return processors.TemplateProcessing(
        single=f"{token}:0 $A:0",
        pair=f"{token}:0 $A:0 {token}:1 $B:1",
        special_tokens=[(token, token_id)],
    )


def merges_of(tokenizer):
    """The merges of a trained tokenizer as pairs, in order."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]


def sentencepiece(added=(), bos=True, num_merges=48):
    """Byte-fallback BPE as converted from SentencePiece: LLaMA, IDEFICS, Mixtral, Phi-3.

    `added` are appended after the vocabulary, as these families do.
    """
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    characters = {c for sentence in SENTENCES for c in sentence.replace(" ", "▁")}
    trainer = trainers.BpeTrainer(
        vocab_size=len(characters) + 1 + num_merges,
        special_tokens=["<unk>"],
        show_progress=False,
    )
    trained.train_from_iterator(SENTENCES, trainer)
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    merges = merges_of(trained)
    pieces += ["".join(pair) for pair in merges]
    pieces += sorted(characters - set(pieces))
    vocab = {piece: row for row, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(
        models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens([special(t) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_special_tokens([t if isinstance(t, AddedToken) else special(t) for t in added])
    if bos:
        tokenizer.post_processor = template("<s>", 1)
    return tokenizer


def byte_level(first=(), last=(), split=None, digits=False, nfc=False, bos=None, num_merges=48):
    """Byte-level BPE: `split` is the regex of Llama 3 or Qwen 2, otherwise GPT-2's own is used.

    `first` are special tokens before the bytes (GPT-NeoX), `last` come after the merges.
    """
    if split:
        parts = [
            pre_tokenizers.Split(Regex(split), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    else:
        parts = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    if digits:
        parts.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts) if len(parts) > 1 else parts[0]
    trainer = trainers.BpeTrainer(
        vocab_size=len(first) + 256 + num_merges,
        special_tokens=list(first),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if split == LLAMA3_SPLIT:
        vocab = tokenizer.get_vocab()
        tokenizer.model = models.BPE(vocab, merges_of(tokenizer), ignore_merges=True)
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([special(t) for t in last])
    plain = processors.ByteLevel(trim_offsets=False)
    if bos:
        ending = template(bos, tokenizer.token_to_id(bos))
        tokenizer.post_processor = processors.Sequence([plain, ending])
    else:
        tokenizer.post_processor = plain
    return tokenizer


def llama(added=()):
    return sentencepiece(added=added)


def llama3(extra=()):
    names = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
        "<|finetune_right_pad_id|>",
    ]
    bos = None if extra else "<|begin_of_text|>"
    return byte_level(last=[*names, *extra], split=LLAMA3_SPLIT, bos=bos)


def phi():
    """Phi-3's added tokens swallow the spaces after them, and no BOS is put in front."""
    added = [special("<|endoftext|>")]
    roles = ("<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
    added += [special(role, rstrip=True) for role in roles]
    return sentencepiece(added=added, bos=False)


def neox():
    return byte_level(first=["<|endoftext|>", "<|padding|>"], nfc=True)


def granite():
    return byte_level(first=["<|end_of_text|>", "<fim_prefix>"], digits=True)


def qwen2():
    return byte_level(
        last=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], split=QWEN2_SPLIT, nfc=True
    )


# The tokenizer_config.json of each form; the special tokens also go to special_tokens_map.json.
LLAMA_CONFIG = {
    "tokenizer_class": "LlamaTokenizer",
    "add_bos_token": True,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
    "legacy": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
}
PHI_CONFIG = LLAMA_CONFIG | {
    "add_bos_token": False,
    "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
LLAMA3_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|begin_of_text|>",
    "eos_token": "<|eot_id|>",
    "clean_up_tokenization_spaces": False,
}
NEOX_CONFIG = {
    "tokenizer_class": "GPTNeoXTokenizer",
    "add_prefix_space": False,
    "bos_token": "<|endoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
}
GRANITE_CONFIG = {
    "tokenizer_class": "GPT2Tokenizer",
    "add_prefix_space": False,
    "bos_token": "<|end_of_text|>",
    "eos_token": "<|end_of_text|>",
    "pad_token": "<|end_of_text|>",
    "unk_token": "<|end_of_text|>",
}
QWEN2_CONFIG = {
    "tokenizer_class": "Qwen2Tokenizer",
    "add_prefix_space": False,
    "bos_token": None,
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "unk_token": None,
}

SPECIAL_FIELDS = ("bos_token", "eos_token", "unk_token", "pad_token")


def save(tokenizer, config, folder, chat_template=None, more_special=()):
    """Writes tokenizer.json and the two JSON files beside it as the hub has them."""
    folder = Path(folder)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=True)
    added = json.loads(tokenizer.to_str())["added_tokens"]
    config = dict(config)
    config["added_tokens_decoder"] = {
        str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added
    }
    if chat_template:
        config["chat_template"] = chat_template
    specials = {k: config[k] for k in SPECIAL_FIELDS if config.get(k)}
    if more_special:
        config["additional_special_tokens"] = list(more_special)
        specials["additional_special_tokens"] = list(more_special)
    config["model_max_length"] = 2048
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", specials)):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
