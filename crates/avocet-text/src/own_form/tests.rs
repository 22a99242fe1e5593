//! Our own form and the tokenizers that it stands on.

use serde_json::{Value, json};

use super::*;
use crate::chat_tokenizer::ChatTokenizer;
use crate::fixture::{any_text, below, own_language, sentences, tokenizer_json};
use crate::tokenizer::train_bpe;
use crate::turn::marked;

/// Ids of a text, one token for each letter that has one.
fn letters(language: &ChatTokenizer, text: &str) -> Vec<u32> {
    let row = language.conversation(&[Turn::transcription(text)]).unwrap();
    let ids = &row[0].ids;
    ids[1..ids.len() - 1].to_vec()
}

#[test]
fn a_conversation_has_the_documented_form() {
    let language = own_language();
    let turns = [
        Turn::system("be brief"),
        Turn::about(1, "what is this?"),
        Turn::assistant("a red bicycle"),
        Turn::marked("and <image>?"),
        Turn::transcription("flag"),
    ];
    let rows = language.conversation(&turns).unwrap();
    let [prompt] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(
        language.decode_with_special(&prompt.ids),
        "<|system|>be brief<|user|><|image|>what is this?<|assistant|>a red bicycle<|end|>\
         <|user|>and <|image|>?<|assistant|>flag<|end|>"
    );
    assert_eq!(prompt.images, 2);
    assert_eq!(turns.iter().map(Turn::num_images).sum::<usize>(), 2);
    assert_eq!(prompt.answer.len(), prompt.ids.len());
    let targets = prompt
        .ids
        .iter()
        .zip(&prompt.answer)
        .filter(|(_, answer)| **answer);
    let learned: Vec<u32> = targets.map(|(&id, _)| id).collect();
    assert_eq!(
        language.decode_with_special(&learned),
        "a red bicycle<|end|>flag<|end|>"
    );
    assert_eq!(learned[learned.len() - 5..].len(), "flag".len() + 1);
}

#[test]
fn a_token_sees_the_latest_image_before_it() {
    let language = own_language();
    let rows = language.conversation(&[Turn::marked("a<image><image>b")]);
    let seen = language.visible_images(&rows.unwrap()[0].ids);
    assert_eq!(seen, [(0, 0), (0, 0), (0, 1), (1, 2), (1, 2)]);
}

#[test]
fn a_question_opens_the_models_turn_and_has_no_target() {
    let language = own_language();
    let prompt = language.question(&[Turn::user("what is this?")]).unwrap();
    assert_eq!(
        language.decode_with_special(&prompt.ids),
        "<|user|>what is this?<|assistant|>"
    );
    assert!(!prompt.answer.contains(&true));
}

#[test]
fn a_document_is_learned_to_its_end() {
    let language = own_language();
    let prompt = language
        .document(&[Part::Text("the <image> picture".into())])
        .unwrap();
    assert_eq!(
        language.decode_with_special(&prompt.ids),
        "the <image> picture<|end|>"
    );
    assert_eq!(prompt.images, 0);
    assert!(!prompt.answer.contains(&false));
}

#[test]
fn an_interleaved_document_is_learned_but_for_its_images() {
    let language = own_language();
    let prompt = language
        .document(&marked("<image>the cat<image><image> picture"))
        .unwrap();
    assert_eq!(
        language.decode_with_special(&prompt.ids),
        "<|image|>the cat<|image|><|image|> picture<|end|>"
    );
    assert_eq!(prompt.images, 3);
    for (id, learned) in prompt.ids.iter().zip(&prompt.answer) {
        assert_eq!(*learned, Some(*id) != language.image_token());
    }
}

#[test]
fn a_typed_marker_is_text() {
    let language = own_language();
    for turn in [
        Turn::user("<image>"),
        Turn::about(1, "an <image> tag"),
        Turn::assistant("<image>"),
        Turn::system("<image>"),
    ] {
        let rows = language.conversation(std::slice::from_ref(&turn)).unwrap();
        assert_eq!(rows[0].images, turn.num_images());
        assert_eq!(language.decode(&rows[0].ids), turn.text());
    }
}

#[test]
fn any_text_survives_encoding_and_spelling() {
    let language = own_language();
    let mut state = 1;
    for _ in 0..2000 {
        let text = any_text(&mut state);
        assert_eq!(language.decode(&language.opening(&text).unwrap()), text);
        assert_eq!(language.decode(&letters(&language, &text)), text);
    }
}

#[test]
fn typed_special_tokens_are_plain_characters() {
    let language = own_language();
    for special in Special::ALL {
        let text = format!("say {} now{}", special.name(), special.name());
        for ids in [language.opening(&text).unwrap(), letters(&language, &text)] {
            assert!(!ids.iter().any(|&id| language.is_stop(id)), "{special:?}");
            assert_eq!(language.decode(&ids), text);
        }
        let written = language.encode_raw(special.name()).unwrap();
        assert!(written.len() == 1 && language.is_stop(written[0]));
        assert_eq!(language.decode(&written), "");
    }
}

#[test]
fn spelling_gives_one_token_a_character() {
    let language = own_language();
    let text = "The red bicycle, 12!";
    assert_eq!(letters(&language, text).len(), text.chars().count());
    assert!(language.opening(text).unwrap().len() < text.chars().count());
    let merged = ChatTokenizer::own(&train_bpe(["ßßßß"], 264).unwrap()).unwrap();
    let letters_of = |language, text| letters(language, text).len();
    assert_eq!(
        letters_of(&merged, "ßß"),
        2,
        "a character that training merged"
    );
    assert_eq!(
        letters_of(&language, "😀"),
        4,
        "a character never seen, as its bytes"
    );
}

#[test]
fn training_repeats_byte_for_byte_whatever_the_order() {
    let mut texts = sentences(200);
    texts.reverse();
    assert_eq!(train_bpe(texts, 320).unwrap(), tokenizer_json());
    assert_eq!(own_language().vocab_size(), 320);
    let small = train_bpe(["a"], 261).err().unwrap().to_string();
    assert!(small.contains("261") && small.contains("262"), "{small}");
}

#[test]
fn the_library_reads_our_file_and_agrees() {
    let ours = own_language();
    let theirs = tokenizers::Tokenizer::from_bytes(tokenizer_json()).unwrap();
    for text in [
        "the red bicycle  is\n\n 12",
        "it's Straße, 日本!",
        " <image> <| ",
    ] {
        assert_eq!(
            ours.opening(text).unwrap(),
            theirs.encode(text, false).unwrap().get_ids()
        );
    }
}

#[test]
fn a_long_run_of_one_character_is_encoded() {
    let language = own_language();
    for letter in [" ", "a", "\n", "!"] {
        let text = letter.repeat(200_000);
        assert_eq!(language.decode(&language.opening(&text).unwrap()), text);
    }
}

#[test]
fn the_pieces_of_a_stream_join_to_the_text() {
    let language = own_language();
    let joined = |ids: &[u32]| -> Vec<String> {
        let mut stream = language.stream();
        ids.iter().map(|&id| stream.push(id)).collect()
    };
    let mut state = 5;
    for _ in 0..500 {
        let text = any_text(&mut state);
        assert_eq!(joined(&letters(&language, &text)).concat(), text);
    }
    let smile = letters(&language, "😀");
    assert_eq!(joined(&smile), ["", "", "", "😀"], "comes out whole");
    let (cut, other) = (&smile[..3], letters(&language, "日é"));
    let ids = [cut, &letters(&language, "a"), cut, &other, cut].concat();
    assert_eq!(joined(&ids).concat(), "a日é", "never whole, left out");
}

#[test]
fn ids_of_nothing_become_replacement_characters() {
    let language = own_language();
    assert_eq!(language.decode(&[u32::MAX]), "\u{FFFD}");
    let cut = &letters(&language, "日")[..1];
    assert_eq!(language.decode(cut).chars().count(), 1);
}

fn error_of(change: impl FnOnce(&mut Value)) -> String {
    let mut file: Value = serde_json::from_slice(&tokenizer_json()).unwrap();
    change(&mut file);
    match ChatTokenizer::own(&serde_json::to_vec(&file).unwrap()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_name_the_field() {
    let cases: Vec<(&str, String)> = vec![
        (
            "normalizer",
            error_of(|f| {
                f["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": null})
            }),
        ),
        (
            "normalizer",
            error_of(|f| f["normalizer"] = json!({"type": "Lowercase"})),
        ),
        (
            "FixedLength",
            error_of(|f| f["pre_tokenizer"]["type"] = json!("FixedLength")),
        ),
        (
            "pre_tokenizer",
            error_of(|f| f["pre_tokenizer"]["add_prefix_space"] = json!(true)),
        ),
        (
            "decoder",
            error_of(|f| f["decoder"] = json!({"type": "ByteFallback"})),
        ),
        (
            "model.merges[0]",
            error_of(|f| f["model"]["merges"][0] = json!(["a", "zzz"])),
        ),
        (
            "model.merges[0]: makes or uses <|end|>",
            error_of(|f| {
                f["model"]["vocab"]["<|end|"] = json!(320);
                f["model"]["merges"][0] = json!(["<|end|", ">"]);
            }),
        ),
        (
            "has no token",
            error_of(|f| f["model"]["vocab"]["a"] = json!(9999)),
        ),
        (
            "is taken twice",
            error_of(|f| f["model"]["vocab"]["a"] = json!(71)),
        ),
        (
            "<|image|> is missing",
            error_of(|f| {
                f["added_tokens"].as_array_mut().unwrap().remove(1);
            }),
        ),
        (
            "added_tokens[2]",
            error_of(|f| f["added_tokens"][2]["special"] = json!(false)),
        ),
        (
            "added_tokens[2]",
            error_of(|f| f["added_tokens"][2]["id"] = json!(3)),
        ),
        (
            "is missing",
            error_of(|f| {
                let vocab = f["model"]["vocab"].as_object_mut().unwrap();
                let id = vocab.remove("z").unwrap();
                vocab.insert("zz".into(), id);
            }),
        ),
        ("version", error_of(|f| f["version"] = json!("2.0"))),
        (
            "model.unk_token",
            error_of(|f| f["model"]["unk_token"] = json!("<|end|>")),
        ),
        (
            "model.byte_fallback",
            error_of(|f| f["model"]["byte_fallback"] = json!(true)),
        ),
        (
            "model.ignore_merges",
            error_of(|f| f["model"]["ignore_merges"] = json!(true)),
        ),
        (
            "added_tokens[6]",
            error_of(|f| {
                let mut other = f["added_tokens"][0].clone();
                (other["content"], other["id"]) = (json!("is"), json!(320));
                f["added_tokens"].as_array_mut().unwrap().push(other);
            }),
        ),
        (
            "added_tokens[2]",
            error_of(|f| f["added_tokens"][2]["lstrip"] = json!(true)),
        ),
        (
            "model.vocab[\" \"]: only the byte alphabet",
            error_of(|f| {
                // A space that is no token would be the unknown one, or nothing.
                let vocab = f["model"]["vocab"].as_object_mut().unwrap();
                let id = vocab.remove("Ġ").unwrap();
                vocab.insert(" ".into(), id);
                let merges = f["model"]["merges"].as_array_mut().unwrap();
                merges.retain(|merge| !merge.to_string().contains('Ġ'));
            }),
        ),
    ];
    for (wanted, message) in cases {
        assert!(
            message.contains(wanted),
            "{wanted:?} is not named by {message:?}"
        );
    }
}

#[test]
fn mutated_files_never_panic() {
    let good = tokenizer_json();
    let mut state = 3;
    let (mut loaded, mut refused) = (0, 0);
    for round in 0..2000 {
        let mut bytes = good.clone();
        match round % 4 {
            0 => bytes.truncate(below(&mut state, good.len())),
            1 => {
                let at = below(&mut state, good.len());
                bytes[at] = below(&mut state, 256) as u8;
            }
            2 => {
                let at = below(&mut state, good.len());
                bytes[at] = b"0123456789\"[]{},:"[below(&mut state, 17)];
            }
            _ => {
                let at = below(&mut state, good.len());
                let end = (at + below(&mut state, 40)).min(good.len());
                bytes.drain(at..end);
            }
        }
        match ChatTokenizer::own(&bytes) {
            Ok(language) => {
                loaded += 1;
                let text = "what is <|end|> 日本";
                assert_eq!(language.decode(&language.opening(text).unwrap()), text);
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!(loaded + refused, 2000);
    assert!(refused > 1000, "{refused} refused");
}
