//! Text and a tokenizer for this crate's tests.

use crate::chat_tokenizer::ChatTokenizer;
use crate::tokenizer::train_bpe;

const WORDS: [&str; 16] = [
    "a", "red", "bicycle", "the", "picture", "of", "Straße", "日本", "question", "answer", "what",
    "is", "this", "12", "it's", "flag",
];

/// `count` short sentences, the same each time.
pub(crate) fn sentences(count: usize) -> Vec<String> {
    let mut state = 7;
    (0..count)
        .map(|_| {
            (0..8)
                .map(|_| WORDS[below(&mut state, WORDS.len())])
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// The `tokenizer.json` of 320 tokens trained on [`sentences`].
pub(crate) fn tokenizer_json() -> Vec<u8> {
    train_bpe(sentences(200), 320).expect("trains on any text")
}

/// Our own form over it.
pub(crate) fn own_language() -> ChatTokenizer {
    ChatTokenizer::own(&tokenizer_json()).expect("is of our own form")
}

/// The next number below `limit` of a fixed sequence.
pub(crate) fn below(state: &mut u64, limit: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % limit as u64) as usize
}

/// Any text: letters, spaces, digits, markup, other scripts.
pub(crate) fn any_text(state: &mut u64) -> String {
    const PARTS: [&str; 20] = [
        " ",
        "  ",
        "\n",
        "\t",
        "a",
        "bicycle",
        "<|end|>",
        "<image>",
        "日",
        "é",
        "\u{301}",
        "😀",
        "9",
        "'ll",
        "!?",
        "\u{0}",
        "\u{A0}",
        "<|",
        "Ġ",
        "\u{10FFFF}",
    ];
    let length = below(state, 30);
    (0..length)
        .map(|_| PARTS[below(state, PARTS.len())])
        .collect()
}
