//! What is typed is text: in every form, for every name of a special token.

use serde_json::Value;

use super::tests::{hub, idefics, llama3, mllama, spm};
use super::*;
use crate::template::{ChatTemplate, Content};
use crate::turn::marked;

const CHATML: &str = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}<s>";

fn templated(tokenizer: Tokenizer, source: &str, content: Content) -> ChatTokenizer {
    let template = ChatTemplate::new(source, "<s>", "</s>", content).unwrap();
    let form = PromptForm::Template(template);
    let (rule, bos) = (ImageRule::Latest, BosRule::PostProcessor);
    let end = ["</s>", "<|eot_id|>"]
        .iter()
        .find_map(|name| tokenizer.id(name));
    let stops = end.into_iter().collect();
    ChatTokenizer::new(tokenizer, form, None, rule, stops, vec![], bos).unwrap()
}

fn plain() -> ChatTokenizer {
    let (form, rule, bos) = (PromptForm::Plain, ImageRule::Latest, BosRule::PostProcessor);
    let end = llama3().id("<|eot_id|>").unwrap();
    ChatTokenizer::new(llama3(), form, None, rule, vec![end], vec![], bos).unwrap()
}

fn flamingo() -> ChatTokenizer {
    let tokenizer = hub(include_str!("../../../../tests/golden/text/neox.json"));
    let (image, end) = (
        tokenizer.id("<image>"),
        tokenizer.id("<|endofchunk|>").unwrap(),
    );
    let (form, rule, bos) = (
        PromptForm::Flamingo,
        ImageRule::Latest,
        BosRule::PostProcessor,
    );
    ChatTokenizer::new(tokenizer, form, image, rule, vec![end], vec![], bos).unwrap()
}

fn grafted() -> ChatTokenizer {
    let mut tokenizer = spm();
    tokenizer.append("<picture>", 4000).unwrap();
    let template = ChatTemplate::new(
        "{% for m in messages %}<s>{{ m.content | replace('<image>', '<picture>') }}</s>{% endfor %}",
        "",
        "",
        Content::Marked,
    );
    let form = PromptForm::Template(template.unwrap());
    let (rule, bos) = (ImageRule::Latest, BosRule::PostProcessor);
    ChatTokenizer::new(tokenizer, form, Some(4000), rule, vec![2], vec![], bos).unwrap()
}

fn languages() -> Vec<(&'static str, ChatTokenizer, usize)> {
    vec![
        ("chatml", templated(spm(), CHATML, Content::Text), 0),
        ("mllama", mllama(), 1),
        ("idefics", idefics(true), 1),
        ("idefics base", idefics(false), 1),
        ("flamingo", flamingo(), 1),
        ("plain", plain(), 0),
        ("grafted", grafted(), 1),
    ]
}

fn names(language: &ChatTokenizer) -> Vec<String> {
    let others = ["<|im_end|>", "[INST]", "</s>", "<|eot_id|>", "<image>"];
    let others = others.into_iter().map(str::to_owned);
    language.names.iter().cloned().chain(others).collect()
}

fn structure(language: &ChatTokenizer, ids: &[u32]) -> Vec<u32> {
    let unknown = language.tokenizer.id("<unk>");
    let of_form = |id: &&u32| language.structure.contains(id) && Some(**id) != unknown;
    ids.iter().filter(of_form).copied().collect()
}

#[test]
fn a_typed_name_of_a_special_token_is_text_in_every_form() {
    for (form, language, images) in languages() {
        for name in names(&language) {
            let turns = |name: &str| {
                [
                    Turn::system(format!("Be {name}brief.{name}")),
                    Turn::user(name),
                    Turn::assistant(format!("{name} means {name}")),
                    Turn::about(images, format!(" {name}What is {name}{name}?{name} ")),
                ]
            };
            let asked = language.question(&turns(&name)).unwrap();
            let harmless = language.question(&turns("word")).unwrap();
            assert_eq!(
                structure(&language, &asked.ids),
                structure(&language, &harmless.ids),
                "{form}, {name}"
            );
            assert_eq!(language.num_images(&asked.ids), images, "{form}, {name}");
            let text = language.decode(&asked.ids);
            assert!(
                text.contains(&format!("What is {name}{name}?{name}")),
                "{form}: {text}"
            );
        }
    }
}

#[test]
fn answers_and_documents_are_text_too() {
    for (form, language, images) in languages() {
        for name in names(&language) {
            let turns = [
                Turn::about(images, "Which token?"),
                Turn::assistant(format!("It is {name}.")),
            ];
            let rows = language.conversation(&turns).unwrap();
            let learned = rows[0].ids.iter().zip(&rows[0].answer);
            let learned: Vec<u32> = learned
                .filter(|(_, learned)| **learned)
                .map(|(id, _)| *id)
                .collect();
            let (end, said) = learned.split_last().unwrap();
            assert!(
                language.is_stop(*end) && structure(&language, said).is_empty(),
                "{form}, {name}"
            );
            assert!(
                language.decode(said).ends_with(&format!("It is {name}.")),
                "{form}"
            );

            let mut parts = marked(if images > 0 { "one<image>two" } else { "one" });
            parts.push(Part::Text(format!(" and {name}")));
            let document = language.document(&parts).unwrap();
            assert_eq!(document.images, images, "{form}, {name}");
            assert!(
                language
                    .decode(&document.ids)
                    .ends_with(&format!(" and {name}")),
                "{form}"
            );
            let opened = language.opening(&format!("{name} is")).unwrap();
            assert_eq!(
                structure(&language, &opened),
                structure(&language, &language.opening("it is").unwrap())
            );
        }
    }
}

#[test]
fn harmless_text_is_cut_as_if_nothing_had_been_marked() {
    let texts = [
        " leading and trailing  ",
        "e\u{301}t\u{e9} 日本 a < b > c [x] {y} |z|",
        "line\n\n  two\t\u{a0}",
        "\u{FDD0}typed\u{FDD1}",
        "x",
    ];
    for (form, language, images) in languages() {
        for text in texts {
            let turns = [Turn::about(images, text)];
            let image = language.image_name();
            let opening = language.spelled_opening();
            let written = language
                .form
                .write(&turns, &opening, image.as_deref())
                .unwrap();
            let ids = match language.form {
                PromptForm::Template(_) => language.tokenizer.encode(&written, false),
                _ => language.encode_raw(&written),
            };
            assert_eq!(
                language.question(&turns).unwrap().ids,
                ids.unwrap(),
                "{form}, {text:?}"
            );
        }
    }
}

#[test]
fn templates_may_trim_split_and_measure_what_is_typed() {
    for source in [
        "<s>{{ messages[0].content | length }}:{{ messages[0].content }}</s>",
        "<s>{{ messages[0].content.split('is')[0] }}|{{ messages[0].content[:3] }}</s>",
        "<s>{% if messages[0].content.startswith('What') %}W{% endif %}{{ messages[0].content | trim }}",
        "<s>{{ messages[0].content.upper() }}{{ messages[0].content | wordcount }}",
        "{{ '<' + messages[0].content[:1] + '>' }}{{ messages[0].content.replace('xx', '') }}",
    ] {
        let language = templated(spm(), source, Content::Text);
        let asked = [Turn::user(" What is this? ")];
        let written = language.form.write(&asked, "", None).unwrap();
        let ids = language.question(&asked).unwrap().ids;
        assert_eq!(
            ids,
            language.tokenizer.encode(&written, false).unwrap(),
            "{source}"
        );
        let typed = language
            .question(&[Turn::user("What </s>is <s>this</s>?")])
            .unwrap()
            .ids;
        let of_form = structure(&language, &ids);
        assert_eq!(structure(&language, &typed), of_form, "{source}");
    }
}

#[test]
fn no_name_is_put_together_of_typed_and_written_letters() {
    for (source, text) in [
        ("{{ '<' ~ messages[0].content ~ '>' }}", "s"),
        ("{{ '<' ~ messages[0].content }}", "/s>"),
        ("{{ messages[0].content ~ 's>' }}", "</"),
        ("{{ messages[0].content | trim ~ '>' }}", " <s "),
        ("{{ messages[0].content.replace('x', '') }}", "<x/xs>"),
        ("{{ messages[0].content.split('+') | join }}", "<+s+>"),
    ] {
        let language = templated(spm(), source, Content::Text);
        let ids = language.question(&[Turn::user(text)]).unwrap().ids;
        assert!(structure(&language, &ids).is_empty(), "{source}");
    }
}

#[test]
fn names_that_are_found_in_normalised_text_are_text_too() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../../tests/golden/text/spm.json")).unwrap();
    let mut file = golden["tokenizer"].clone();
    for token in file["added_tokens"].as_array_mut().unwrap() {
        token["normalized"] = true.into();
    }
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    let (start, end) = (tokenizer.id("<s>").unwrap(), tokenizer.id("</s>").unwrap());
    let source = "<s>{{ messages[0].content }}</s>";
    let plain = tokenizer.encode("<s>What?</s>", false).unwrap();
    let language = templated(tokenizer, source, Content::Text);
    assert_eq!(
        language.question(&[Turn::user("What?")]).unwrap().ids,
        plain
    );
    let of_form = plain.iter().filter(|id| [start, end].contains(id)).count();
    let typed = language
        .question(&[Turn::user("<s>What</s>?<s>")])
        .unwrap()
        .ids;
    assert_eq!(
        typed.iter().filter(|id| [start, end].contains(id)).count(),
        of_form
    );
    assert!(language.decode(&typed).contains("What</s>?<s>"));
}

#[test]
fn a_form_that_makes_nothing_of_a_question_says_so() {
    let language = templated(spm(), "{% if false %}x{% endif %}", Content::Text);
    let error = language.question(&[Turn::user("What?")]).unwrap_err();
    assert!(error.to_string().contains("makes no tokens"), "{error}");
}
