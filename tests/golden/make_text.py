"""Writes text/*.json: what the reference libraries make of nasty texts, conversations and images.

Tokenizers are trained here, small, in the manner of public families, with tokenizers 0.21.4;
conversations, IDEFICS prompts and image masks come from transformers 4.51.3 (jinja2 3.1.6); ids
of GGUF vocabularies from llama.cpp (llama-cpp-python 0.3.36). Chat templates are in chat.py.

Run from anywhere: python3 make_text.py. Deterministic; no test runs it.
"""

import datetime
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from gguf import GGUFWriter  # noqa: E402
from llama_cpp import Llama  # noqa: E402
from PIL import Image  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models  # noqa: E402
from tokenizers import normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import IdeficsImageProcessor, IdeficsProcessor  # noqa: E402
from transformers import LlamaTokenizerFast, PreTrainedTokenizerFast  # noqa: E402
from transformers.models.mllama.processing_mllama import build_string_from_input  # noqa: E402
from transformers.models.mllama.processing_mllama import (  # noqa: E402
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)
from transformers.utils import chat_template_utils  # noqa: E402

from chat import CONVERSATIONS, PICTURED, TEMPLATES  # noqa: E402

OUT = Path(__file__).parent / "text"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "The red bicycle stands by the old house, doesn't it? It's John's; they'll say we've won.",
    "What is in this picture? A question, an answer, and 12 more questions: 345, 2024, 1000000.",
    "def question(answer):\n    return answer  # the answer\n\n\n    if answer:\n        pass\n",
    "Straße, façade, naïve, Ελλάδα, Россия говорит, 日本語の文章です。 中文句子，你好世界。 안녕하세요",
    "the the the a a an and in on of to is was for with that this there where which while",
    "==== ---- ........ !!! ??? //// #### <<>> {} [] () \t\t\t    \n\n\n",
] * 4
TEXTS = [
    "",
    " ",
    "   ",
    "\n",
    "\n\n  \n",
    "\t x \t",
    "Hello world",
    " Hello  world ",
    "the red bicycle's wheels, they'LL turn; I'M SURE WE'VE 1234567 of them",
    "What is this?\nA question.\r\n\r\nAn answer.   \n   Indented\n",
    "emoji 😀👩‍👩‍👧 and flags 🇩🇪, é vs e\u0301, ß, ﬁ",
    "日本語の文章です。你好，世界！ 안녕 Ελλάδα Россия ١٢٣ ⅷ ½",
    "    def f(x):\n\treturn x**2  # ====",
    "a\u00a0b\u2003c\u200bd\ufeffe\u0000f\u2581g",
    "<s>[INST] hi [/INST]</s>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>",
    "<|image|><|image|> describe<|endoftext|>the  <image> picture<|im_end|>\n",
    "<0x0A> <|not_special|> <| <s <unk>",
    "User:<fake_token_around_image><image><fake_token_around_image>what?<end_of_utterance>",
    "aaaa" * 9 + " " * 17 + "=" * 33 + "-" * 10,
    "x" * 40 + "\u0301" * 9,
]


def compact(path, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (OUT / path).write_text(text + "\n")
    print(path, (OUT / path).stat().st_size)


def cases(tokenizer):
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        special = tokenizer.encode(text, add_special_tokens=True).ids
        tails = [(n, tokenizer.decode(ids[n:])) for n in (0, 1, 3)]
        tails = [tail for tail in tails if "\ufffd" not in tail[1]]
        rows.append({"text": text, "ids": ids, "special": special, "tails": tails})
    return rows


def train(tokenizer, size, special, **options):
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False, min_frequency=2, **options
    )
    tokenizer.train_from_iterator(CORPUS, trainer)


def split_then_bytes(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])


LLAMA3_SPECIAL = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<|image|>", "<|python_tag|>",
]  # fmt: skip


def llama3():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = split_then_bytes(LLAMA3)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, 520, [], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens(LLAMA3_SPECIAL)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    template = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
        special_tokens=[("<|begin_of_text|>", bos)],
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def neox():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|padding|>"]
    train(tokenizer, 480, special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # GPT-NeoX keeps runs of spaces as added tokens that are not special.
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in range(12, 1, -1)])
    tokenizer.add_special_tokens(["<|endofchunk|>", "<image>"])
    return tokenizer


def spm():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    prepend = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(prepend)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    # Trained word by word, used without words, as SentencePiece's files are.
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    train(tokenizer, 620, ["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=80)
    state = json.loads(tokenizer.to_str())
    state["pre_tokenizer"] = None
    state["added_tokens"] = state["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    special = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def family(path, tokenizer):
    compact(path, {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases(tokenizer)})


def llama_cpp_ids(write, texts):
    """Ids by llama.cpp, special names parsed, nothing added."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "vocab.gguf")
        writer = GGUFWriter(path, "llama")
        write(writer)
        writer.add_block_count(0)
        writer.add_context_length(64)
        writer.add_embedding_length(8)
        writer.add_head_count(1)
        writer.add_feed_forward_length(8)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        model = Llama(path, vocab_only=True, verbose=False)
        rows = []
        for text in texts:
            ids = model.tokenize(text.encode(), add_bos=False, special=True)
            whole = model.detokenize(ids).decode(errors="replace")
            rows.append({"text": text, "ids": ids, "decoded": whole})
        return rows


def gguf_bpe(tokenizer):
    state = json.loads(tokenizer.to_str())["model"]
    size = tokenizer.get_vocab_size()
    tokens = [tokenizer.id_to_token(index) for index in range(size)]
    merges = [" ".join(pair) for pair in state["merges"]]
    types = [3 if token in LLAMA3_SPECIAL else 1 for token in tokens]
    runs = {}
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2", "default", "gpt-4o", "tekken", "stablelm2"]:

        def write(writer):
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre(pre)
            writer.add_token_list(tokens)
            writer.add_token_merges(merges)
            writer.add_token_types(types)

        runs[pre] = [row["ids"] for row in llama_cpp_ids(write, TEXTS)]
    compact("gguf_bpe.json", {"tokens": tokens, "merges": merges, "types": types, "texts": TEXTS, "ids": runs})


def gguf_spm(tokenizer):
    state = json.loads(tokenizer.to_str())["model"]
    size = tokenizer.get_vocab_size()
    tokens = [tokenizer.id_to_token(index) for index in range(size)]
    ranks = {}
    for rank, (left, right) in enumerate(state["merges"]):
        ranks.setdefault(left + right, -float(rank + 1))
    scores = [ranks.get(token, -1e4) for token in tokens]
    types = []
    for token in tokens:
        byte = len(token) == 6 and token.startswith("<0x")
        special = token in ("<s>", "</s>") or len(token) > 2 and token[0] == "<" and token[-1] == ">"
        types.append(2 if token == "<unk>" else 6 if byte else 3 if special else 1)
    runs = {}
    for prefix in [True, False]:

        def write(writer):
            writer.add_tokenizer_model("llama")
            writer.add_token_list(tokens)
            writer.add_token_scores(scores)
            writer.add_token_types(types)
            writer.add_add_space_prefix(prefix)

        runs[str(prefix).lower()] = llama_cpp_ids(write, TEXTS)
    compact("gguf_spm.json", {"tokens": tokens, "scores": scores, "types": types, "runs": runs})


def chats():
    class Frozen(datetime.datetime):
        @classmethod
        def now(cls):
            return cls(2024, 7, 26, 12, 0, 0)

    chat_template_utils.datetime = Frozen
    rows = []
    for name, (source, bos, eos, pictured) in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE()), bos_token=bos, eos_token=eos
        )
        runs = []
        for messages in PICTURED if pictured else CONVERSATIONS:
            try:
                text = tokenizer.apply_chat_template(
                    messages, chat_template=source, tokenize=False, add_generation_prompt=True
                )
            except Exception as error:
                print(name, "refuses:", error)
                text = None
            runs.append({"messages": messages, "text": text})
        rows.append(
            {"name": name, "source": source, "bos": bos, "eos": eos, "parts": pictured, "runs": runs}
        )
    compact("chats.json", rows)


def idefics(tokenizer):
    extra = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    fast = LlamaTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<unk>",
        additional_special_tokens=extra,
    )  # fmt: skip
    processor = IdeficsProcessor(IdeficsImageProcessor(image_size=8), fast)
    image = Image.new("RGB", (8, 8))
    end = "<end_of_utterance>"
    prompts = {
        "one": ["User:", image, "What is this?" + end, "\nAssistant:"],
        "two": ["User: Compare ", image, image, " please ", end, "\nAssistant: They differ." + end,
                "\nUser:", image, "And this?" + end, "\nAssistant:"],
        "none": ["User: Hi" + end, "\nAssistant:"],
        "base": ["User:", image, "Describe it.", "\nAssistant: A cat.", "\nUser: Why?", "\nAssistant:"],
        "ended": ["a</s>", image, "b</s>", "c", image, image, "d</s></s>", "e"],
        "bare": ["no image </s> here"],
    }  # fmt: skip
    rows = []
    for name, prompt in prompts.items():
        batch = processor(text=[prompt], add_end_of_utterance_token=False, return_tensors="pt")
        mask = batch["image_attention_mask"][0].int().tolist()
        items = [item if isinstance(item, str) else None for item in prompt]
        ids = batch["input_ids"][0].tolist()
        rows.append({"name": name, "items": items, "ids": ids, "mask": mask})
    return rows


def mllama(tokenizer):
    image = tokenizer.token_to_id("<|image|>")
    texts = [
        "hi", "<|image|>hi", "<|image|><|image|>hi", "a<|image|>b<|image|><|image|>c<|image|>",
        "<|image|><|begin_of_text|>what <|image|> is", "<|image|> <|image|>", "<|image|>",
        "x<|image|><|image|>", "<|image|><|image|><|image|>y<|image|>z",
    ]  # fmt: skip
    rows = []
    for text in texts:
        built = build_string_from_input(text, "<|begin_of_text|>", "<|image|>")
        ids = tokenizer.encode(built, add_special_tokens=False).ids
        sparse = get_cross_attention_token_mask(ids, image)
        mask = [[] for _ in ids]
        if sparse:
            tiles = [[1] * len(sparse)]
            dense = convert_sparse_cross_attention_mask_to_dense([sparse], tiles, 1, len(ids))
            mask = dense[0, :, :, 0].tolist()
        rows.append({"text": text, "ids": ids, "mask": mask})
    return rows


OUT.mkdir(exist_ok=True)
llama = llama3()
family("llama3.json", llama)
family("neox.json", neox())
sentence = spm()
family("spm.json", sentence)
gguf_bpe(llama)
gguf_spm(sentence)
chats()
compact("images.json", {"idefics": idefics(sentence), "mllama": mllama(llama)})
