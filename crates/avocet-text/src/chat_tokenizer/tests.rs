//! Prompts and image masks against IdeficsProcessor and MllamaProcessor, and the other forms.

use serde_json::Value;

use super::*;
use crate::fixture::own_language;
use crate::template::{ChatTemplate, Content};

pub(super) fn hub(json: &str) -> Tokenizer {
    let golden: Value = serde_json::from_str(json).unwrap();
    Tokenizer::from_json(golden["tokenizer"].to_string().as_bytes()).unwrap()
}

pub(super) fn llama3() -> Tokenizer {
    hub(include_str!("../../../../tests/golden/text/llama3.json"))
}

pub(super) fn spm() -> Tokenizer {
    hub(include_str!("../../../../tests/golden/text/spm.json"))
}

fn images() -> Value {
    serde_json::from_str(include_str!("../../../../tests/golden/text/images.json")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The rows of a mask as ranges; a row without images is `first == end`.
fn assert_seen(language: &ChatTokenizer, row: &Value, case: &str) {
    let ids = ids(&row["ids"]);
    let mask: Vec<Vec<u32>> = serde_json::from_value(row["mask"].clone()).unwrap();
    let seen = language.visible_images(&ids);
    assert_eq!(seen.len(), mask.len());
    for (index, ((first, end), mask)) in seen.into_iter().zip(&mask).enumerate() {
        let range: Vec<u32> = (0..mask.len() as u32)
            .map(|image| u32::from((first..end).contains(&image)))
            .collect();
        assert_eq!(&range, mask, "{case}, token {index}");
    }
}

pub(super) fn idefics(instruct: bool) -> ChatTokenizer {
    let tokenizer = spm();
    let id = |name: &str| tokenizer.id(name).unwrap();
    let (image, fake) = (id("<image>"), id("<fake_token_around_image>"));
    let (end, stops) = (id("</s>"), vec![id("</s>"), id("<end_of_utterance>")]);
    let (form, rule) = (
        PromptForm::Idefics { instruct },
        ImageRule::LatestUntil(end),
    );
    let banned = vec![image, fake];
    ChatTokenizer::new(
        tokenizer,
        form,
        Some(image),
        rule,
        stops,
        banned,
        BosRule::Spelled,
    )
    .unwrap()
}

pub(super) fn mllama() -> ChatTokenizer {
    let tokenizer = llama3();
    let id = |name: &str| tokenizer.id(name).unwrap();
    let (image, bos, end) = (id("<|image|>"), id("<|begin_of_text|>"), id("<|eot_id|>"));
    let source = "{{ bos_token }}{% for message in messages %}{% for part in message.content %}\
        {{ '<|image|>' if part.type == 'image' else part.text }}{% endfor %}<|eot_id|>{% endfor %}";
    let template =
        ChatTemplate::new(source, "<|begin_of_text|>", "<|eot_id|>", Content::Parts).unwrap();
    ChatTokenizer::new(
        tokenizer,
        PromptForm::Template(template),
        Some(image),
        ImageRule::AdjacentRuns,
        vec![end],
        vec![image],
        BosRule::AfterImages(bos),
    )
    .unwrap()
}

#[test]
fn idefics_sees_images_as_its_processor_says() {
    for row in images()["idefics"].as_array().unwrap() {
        assert_seen(&idefics(true), row, row["name"].as_str().unwrap());
    }
}

#[test]
fn idefics_prompts_are_its_processors() {
    let images = images();
    let golden = |name: &str| {
        let rows = images["idefics"].as_array().unwrap();
        ids(&rows.iter().find(|row| row["name"] == name).unwrap()["ids"])
    };
    let asked = |instruct, turns: &[Turn]| idefics(instruct).question(turns).unwrap();
    let one = asked(true, &[Turn::about(1, "What is this?")]);
    assert_eq!((one.ids, one.images), (golden("one"), 1));
    let two = asked(
        true,
        &[
            Turn::marked("Compare <image> <image> please "),
            Turn::assistant("They differ."),
            Turn::about(1, " And this?"),
        ],
    );
    assert_eq!((two.ids, two.images), (golden("two"), 3));
    assert_eq!(asked(true, &[Turn::user("Hi")]).ids, golden("none"));
    let base = [
        Turn::about(1, "Describe it."),
        Turn::assistant("A cat."),
        Turn::user("Why?"),
    ];
    assert_eq!(asked(false, &base).ids, golden("base"));
    let ruled = asked(true, &[Turn::system("Be brief."), Turn::user("Hi")]);
    let wanted = "<s>User: Be brief.\nHi<end_of_utterance>\nAssistant:";
    assert_eq!(ruled.ids, idefics(true).encode_raw(wanted).unwrap());
}

#[test]
fn mllama_texts_and_masks_are_its_processors() {
    let language = mllama();
    for row in images()["mllama"].as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        assert_eq!(
            language.encode_raw(text).unwrap(),
            ids(&row["ids"]),
            "{text}"
        );
        assert_seen(&language, row, text);
    }
}

#[test]
fn image_tokens_and_images_must_be_as_many() {
    let language = mllama();
    let prompt = language.question(&[Turn::about(1, "what?")]).unwrap();
    assert_eq!((prompt.images, language.num_images(&prompt.ids)), (1, 1));
    assert_eq!(
        prompt.ids[0],
        language.encode_raw("").unwrap()[0],
        "one BOS"
    );
    assert_ne!(prompt.ids[1], prompt.ids[0]);
    let typed = language
        .question(&[Turn::about(1, "what <|image|>?")])
        .unwrap();
    assert_eq!((typed.images, language.num_images(&typed.ids)), (1, 1));
}

#[test]
fn flamingo_asks_for_short_answers() {
    let tokenizer = hub(include_str!("../../../../tests/golden/text/neox.json"));
    let (image, end) = (
        tokenizer.id("<image>"),
        tokenizer.id("<|endofchunk|>").unwrap(),
    );
    let rule = ImageRule::Latest;
    let form = PromptForm::Flamingo;
    let bos = BosRule::PostProcessor;
    let language =
        ChatTokenizer::new(tokenizer, form, image, rule, vec![end], vec![], bos).unwrap();
    let turns = [
        Turn::about(1, "What is this?"),
        Turn::assistant("a cat"),
        Turn::marked("What <image><image> are these? "),
    ];
    let prompt = language.question(&turns).unwrap();
    let wanted = "<image>Question:What is this? Short answer:a cat<|endofchunk|>\
        <image><image>Question:What  are these? Short answer:";
    assert_eq!(prompt.ids, language.encode_raw(wanted).unwrap());
    assert_eq!(prompt.images, 3);
    assert!(language.is_stop(end) && !language.is_stop(0));
    let seen = language.visible_images(&prompt.ids);
    assert_eq!((seen[0], *seen.last().unwrap()), ((0, 1), (2, 3)));
}

fn plain(tokenizer: Tokenizer) -> ChatTokenizer {
    let (form, rule, bos) = (PromptForm::Plain, ImageRule::Latest, BosRule::PostProcessor);
    ChatTokenizer::new(tokenizer, form, None, rule, vec![], vec![], bos).unwrap()
}

#[test]
fn a_base_model_reads_lines_after_one_bos() {
    let language = plain(llama3());
    let bos = llama3().id("<|begin_of_text|>").unwrap();
    let turns = [Turn::system("a"), Turn::assistant("b"), Turn::user("c")];
    let prompt = language.question(&turns).unwrap();
    assert_eq!(prompt.ids, language.encode_raw("a\nb\nc").unwrap());
    assert_eq!(prompt.ids.iter().filter(|&&id| id == bos).count(), 1);
    let written = language.encode_raw("<|begin_of_text|>a\nb\nc").unwrap();
    assert_eq!(written, prompt.ids, "a BOS that is there is not doubled");
    let refused = language.question(&[Turn::about(1, "c")]);
    assert!(refused.unwrap_err().to_string().contains("sees no images"));
    assert_eq!(language.visible_images(&[1, 2]), [(0, 0), (0, 0)]);
}

#[test]
fn streams_join_to_the_decoded_text() {
    for language in [plain(llama3()), idefics(true), own_language()] {
        for text in [
            " the red  bicycle",
            "日本 😀 é",
            "a\n\n  b",
            "<s><|eot_id|>x<|end|>",
        ] {
            let ids = language.encode_raw(text).unwrap();
            let mut stream = language.stream();
            let joined: String = ids.iter().map(|&id| stream.push(id)).collect();
            assert_eq!(joined, language.decode(&ids));
        }
        let longest = language.longest_token_bytes();
        let ids = 0..language.vocab_size() as u32;
        assert!(
            ids.into_iter()
                .all(|id| language.decode(&[id]).len() <= longest.max(3))
        );
    }
}

#[test]
fn our_own_form_has_tokens_of_its_own() {
    let language = own_language();
    let turns = [
        Turn::system("be brief <|end|>"),
        Turn::marked("<image>what <image>is this? <|image|>"),
        Turn::transcription("flag"),
        Turn::user("and this?"),
    ];
    let prompt = language.question(&turns).unwrap();
    assert_eq!(language.num_images(&prompt.ids), 2);
    assert_eq!(prompt.images, 2);
    let written = language.encode_raw("<|user|>a<|image|><|end|>").unwrap();
    assert_eq!(
        language.decode_with_special(&written),
        "<|user|>a<|image|><|end|>"
    );
    let (first, last) = (written[0], &written[written.len() - 2..]);
    assert!(language.is_stop(first) && language.is_stop(last[1]));
    assert_eq!(Some(last[0]), language.image_token());
    assert!(language.banned().is_empty() && language.is_own());
}

#[test]
fn ids_that_stand_for_nothing_are_refused() {
    let build = |image, stop, banned| {
        let (form, rule, bos) = (PromptForm::Plain, ImageRule::Latest, BosRule::PostProcessor);
        ChatTokenizer::new(llama3(), form, image, rule, vec![stop], vec![banned], bos).err()
    };
    assert!(build(Some(0), 1, 2).is_none());
    for error in [
        build(Some(9999), 1, 2),
        build(None, 9999, 2),
        build(None, 1, 9999),
    ] {
        assert!(error.unwrap().to_string().contains("9999"));
    }
}

#[test]
fn special_tokens_are_spelled_by_their_names() {
    let own = own_language();
    let asked = own.question(&[Turn::about(1, "what is this?")]);
    let spelled = own.decode_with_special(&asked.unwrap().ids);
    assert_eq!(spelled, "<|user|><|image|>what is this?<|assistant|>");
    let language = idefics(true);
    let asked = language.question(&[Turn::about(1, "What?")]);
    let spelled = language.decode_with_special(&asked.unwrap().ids);
    assert!(spelled.starts_with("<s>") && spelled.contains("<image>"));
    assert_eq!(language.token(own.vocab_size() as u32 + 1_000_000), None);
}
