//! Files that mean harm, or are merely broken: an error that names the place, never a panic.

use serde_json::{Value, json};

use super::*;
use crate::fixture::below;

fn file(json: &str) -> Value {
    let golden: Value = serde_json::from_str(json).unwrap();
    golden["tokenizer"].clone()
}

fn llama3() -> Value {
    file(include_str!("../../../../tests/golden/text/llama3.json"))
}

fn spm() -> Value {
    file(include_str!("../../../../tests/golden/text/spm.json"))
}

fn error_of(mut file: Value, change: impl FnOnce(&mut Value)) -> String {
    change(&mut file);
    match Tokenizer::from_json(file.to_string().as_bytes()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_name_the_field() {
    type Change = Box<dyn FnOnce(&mut Value)>;
    let set = |path: &'static str, value: Value| -> Change {
        Box::new(move |file| *file.pointer_mut(path).unwrap() = value)
    };
    let replace =
        |content: &str| json!({"type": "Replace", "pattern": {"String": " "}, "content": content});
    let bomb = json!({"type": "Sequence", "normalizers": vec![replace("    "); 8]});
    let mut deep = json!({"type": "NFC"});
    for _ in 0..9 {
        deep = json!({"type": "Sequence", "normalizers": [deep]});
    }
    let precompiled = json!({"type": "Precompiled", "precompiled_charsmap": null});
    let fixed = json!({"type": "FixedLength", "length": 0});
    let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let around = |parts: Value| {
        json!({"type": "TemplateProcessing", "single": parts, "pair": [],
        "special_tokens": {"x": {"id": "x", "ids": [99_999], "tokens": ["x"]}}})
    };
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let cases: Vec<(&str, Change)> = vec![
        (
            "normalizer.type: \"Precompiled\"",
            set("/normalizer", precompiled),
        ),
        ("normalizer.type: is no text", set("/normalizer", json!({}))),
        (
            "normalizer.normalizers[3]: content",
            set("/normalizer", bomb),
        ),
        ("nested over", set("/normalizer", deep)),
        (
            "pre_tokenizer.type: \"FixedLength\"",
            set("/pre_tokenizer", fixed),
        ),
        ("pre_tokenizer.pattern", set("/pre_tokenizer", split(""))),
        ("pre_tokenizer", set("/pre_tokenizer", split("(unclosed"))),
        (
            "pre_tokenizer.pattern",
            set("/pre_tokenizer", split(&"x".repeat(5000))),
        ),
        ("decoder: null", set("/decoder", Value::Null)),
        (
            "decoder.type: \"WordPiece\"",
            set("/decoder", json!({"type": "WordPiece"})),
        ),
        (
            "decoder",
            set(
                "/decoder",
                json!({"type": "Strip", "content": " ", "start": 1, "stop": 9}),
            ),
        ),
        (
            "id 99999 stands for no token",
            set(
                "/post_processor",
                around(json!([{"SpecialToken": {"id": "x"}}, text])),
            ),
        ),
        (
            "special_tokens[\"y\"]",
            set(
                "/post_processor",
                around(json!([{"SpecialToken": {"id": "y"}}, text])),
            ),
        ),
        (
            "holds the text 2 times",
            set("/post_processor", around(json!([text, text]))),
        ),
        (
            "model.type: \"Unigram\"",
            set("/model", json!({"type": "Unigram", "vocab": [["a", 0.0]]})),
        ),
        (
            "model.merges[0]",
            set("/model/merges/0", json!(["a", "zzz"])),
        ),
        ("model.merges[0]", set("/model/merges/0", json!("a b c"))),
        (
            "model.vocab[\"a\"]: id 4294967295",
            set("/model/vocab/a", json!(u32::MAX)),
        ),
        ("is taken twice", set("/model/vocab/a", json!(5))),
        ("added_tokens[0]", set("/added_tokens/0/content", json!(""))),
        (
            "added_tokens[0]",
            set("/added_tokens/0/content", json!("a")),
        ),
        ("version", set("/version", json!("2.0"))),
        ("model.unk_token", set("/model/unk_token", json!("zzz"))),
        ("model.dropout", set("/model/dropout", json!(0.5))),
        (
            "model.end_of_word_suffix",
            set("/model/end_of_word_suffix", json!("</w>")),
        ),
    ];
    for (wanted, change) in cases {
        let error = error_of(llama3(), change);
        assert!(
            error.contains(wanted),
            "{wanted:?} is not named by {error:?}"
        );
    }
}

#[test]
fn padding_and_truncation_are_never_done() {
    let mut file = llama3();
    let plain = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    file["padding"] = json!({"strategy": {"Fixed": 1_u64 << 60}, "direction": "Right",
        "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"});
    file["truncation"] = json!({"max_length": 1, "strategy": "LongestFirst", "stride": 0,
        "direction": "Right"});
    let padded = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    let text = "the red bicycle";
    assert_eq!(
        padded.encode(text, true).unwrap(),
        plain.encode(text, true).unwrap()
    );
}

#[test]
fn long_runs_are_encoded() {
    for file in [llama3(), spm()] {
        let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
        for letter in [" ", "a", "\n", "!", "1", " \n", "\u{301}"] {
            let text = format!("x{}y", letter.repeat(50_000));
            let ids = tokenizer.encode(&text, false).unwrap();
            assert_eq!(tokenizer.decode(&ids), text, "{letter:?}");
        }
    }
}

#[test]
fn mutated_files_never_panic() {
    for (good, seed) in [(llama3(), 1), (spm(), 2)] {
        let good = good.to_string().into_bytes();
        let (mut state, mut loaded) = (seed, 0);
        for round in 0..400 {
            let mut bytes = good.clone();
            let at = below(&mut state, good.len());
            match round % 3 {
                0 => bytes[at] = below(&mut state, 256) as u8,
                1 => bytes[at] = b"0123456789\"[]{},:"[below(&mut state, 17)],
                _ => {
                    let end = (at + below(&mut state, 40)).min(good.len());
                    bytes.drain(at..end);
                }
            }
            if let Ok(tokenizer) = Tokenizer::from_json(&bytes) {
                loaded += 1;
                let text = "what is <|eot_id|> 日本 <s>";
                if let Ok(ids) = tokenizer.encode(text, true) {
                    tokenizer.decode(&ids);
                }
            }
        }
        assert!(loaded > 0);
    }
}

fn gpt2(change: impl FnOnce(&mut Gpt2Parts)) -> Result<Tokenizer, TokenizerError> {
    let mut parts = Gpt2Parts {
        tokens: ["a", "b", "ab", "<e>", "", "Ġ"].map(str::to_owned).to_vec(),
        merges: vec!["a b".into()],
        types: vec![1, 1, 1, 3, 5, 1],
        pre: "gpt-2".into(),
        bos: Some(3),
        add_bos: Some(true),
        ..Gpt2Parts::default()
    };
    change(&mut parts);
    Tokenizer::from_gpt2_parts(parts)
}

#[test]
fn broken_byte_level_metadata_is_refused_by_key() {
    let good = gpt2(|_| {}).unwrap();
    assert_eq!(good.encode("ab<e>b", true).unwrap(), [3, 2, 3, 1]);
    assert_eq!(good.encode_once("<e>ab", None).unwrap(), [3, 2]);
    type Change = fn(&mut Gpt2Parts);
    let cases: [(&str, Change); 8] = [
        (
            "tokenizer.ggml.pre: unknown pre-tokenizer \"klingon\"",
            |p| p.pre = "klingon".into(),
        ),
        ("tokenizer.ggml.tokens[1]", |p| p.tokens[1] = "a".into()),
        ("tokenizer.ggml.tokens", |p| p.tokens.clear()),
        ("tokenizer.ggml.token_type", |p| p.types.push(1)),
        ("tokenizer.ggml.merges[0]", |p| p.merges[0] = "ab".into()),
        ("tokenizer.ggml.merges[0]", |p| p.merges[0] = "b a".into()),
        ("tokenizer.ggml.merges[0]", |p| p.merges[0] = "日 b".into()),
        ("tokenizer.ggml.bos_token_id", |p| p.bos = Some(6)),
    ];
    for (wanted, change) in cases {
        let error = gpt2(change).err().unwrap().to_string();
        assert!(
            error.contains(wanted),
            "{wanted:?} is not named by {error:?}"
        );
    }
}

fn scored(change: impl FnOnce(&mut SpmParts)) -> Result<Tokenizer, TokenizerError> {
    let mut parts = SpmParts {
        tokens: ["<unk>", "a", "b", "ab", "ba", "▁", "</s>"]
            .map(str::to_owned)
            .to_vec(),
        scores: vec![0.0, -9.0, -9.0, -1.0, -1.0, -9.0, 0.0],
        types: vec![2, 1, 1, 1, 1, 1, 3],
        unk: Some(0),
        ..SpmParts::default()
    };
    change(&mut parts);
    Tokenizer::from_spm_parts(parts)
}

#[test]
fn of_equal_scores_the_leftmost_pair_is_joined() {
    let tokenizer = scored(|_| {}).unwrap();
    assert_eq!(tokenizer.encode("aba", false).unwrap(), [5, 3, 1]);
    assert_eq!(
        tokenizer.encode("bab</s>é", false).unwrap(),
        [5, 4, 2, 6, 5, 0, 0]
    );
    assert_eq!(tokenizer.decode(&[5, 3, 1, 6]), "aba");
    assert_eq!(tokenizer.vocab_size(), 7);
}

#[test]
fn broken_scored_metadata_is_refused_by_key() {
    type Change = fn(&mut SpmParts);
    let cases: [(&str, Change); 6] = [
        ("tokenizer.ggml.tokens[2]", |p| p.tokens[2] = "a".into()),
        ("tokenizer.ggml.scores", |p| p.scores.push(0.0)),
        ("tokenizer.ggml.scores[1]", |p| p.scores[1] = f32::NAN),
        ("tokenizer.ggml.token_type", |p| p.types.truncate(1)),
        ("tokenizer.ggml.bos_token_id", |p| p.bos = Some(7)),
        ("tokenizer.ggml.unknown_token_id", |p| p.unk = Some(7)),
    ];
    for (wanted, change) in cases {
        let error = scored(change).err().unwrap().to_string();
        assert!(
            error.contains(wanted),
            "{wanted:?} is not named by {error:?}"
        );
    }
    let error = scored(|p| p.unk = None)
        .unwrap()
        .encode("é", false)
        .unwrap_err();
    assert!(error.to_string().contains("no token for \"é\""), "{error}");
}

#[test]
fn an_appended_token_stands_behind_all_others_and_has_no_text() {
    let tokenizers = [(gpt2(|_| ()).unwrap(), 6), (scored(|_| ()).unwrap(), 900)];
    for (mut tokenizer, id) in tokenizers {
        let size = tokenizer.vocab_size();
        let (before, after) = (tokenizer.encode("ab", false), tokenizer.encode("a", false));
        let (before, after) = (before.unwrap(), after.unwrap());
        tokenizer.append("<image>", id).unwrap();
        let ids = tokenizer.encode("ab<image>a", false).unwrap();
        assert_eq!(ids, [before.as_slice(), &[id], &after].concat());
        assert_eq!(tokenizer.encode("<image>", false).unwrap(), [id]);
        assert_eq!(tokenizer.token(id).unwrap(), "<image>");
        assert_eq!(tokenizer.id("<image>"), Some(id));
        assert!(tokenizer.is_special(id));
        assert_eq!(tokenizer.vocab_size(), size);
        assert_eq!(tokenizer.decode(&[id]), "");
        assert!(
            tokenizer.append("<other>", id + 1).is_err(),
            "one can be appended"
        );
    }
    assert!(gpt2(|_| ()).unwrap().append("<image>", 5).is_err(), "taken");
}

#[test]
fn a_vocabulary_without_words_is_refused() {
    let tokens = vec!["<s>".to_owned(), "</s>".to_owned()];
    let gpt2 = Tokenizer::from_gpt2_parts(Gpt2Parts {
        tokens: tokens.clone(),
        types: vec![3, 3],
        pre: "gpt-2".into(),
        ..Gpt2Parts::default()
    });
    let spm = Tokenizer::from_spm_parts(SpmParts {
        tokens,
        types: vec![3, 3],
        ..SpmParts::default()
    });
    let json = br#"{"decoder": {"type": "ByteLevel", "add_prefix_space": false,
        "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": {}, "merges": []}}"#;
    for refused in [gpt2, spm, Tokenizer::from_json(json)] {
        let error = refused.err().unwrap().to_string();
        assert!(error.contains("holds no word"), "{error}");
    }
}
