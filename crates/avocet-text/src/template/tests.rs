//! Rendered conversations against jinja2 in transformers, and templates that mean harm.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::*;

/// 26 July 2024, noon: the day of the golden conversations.
fn that_day() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_721_995_200)
}

fn turn(message: &Value) -> Turn {
    let parts = match &message["content"] {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(parts) => {
            let part = |part: &Value| match part["text"].as_str() {
                Some(text) => Part::Text(text.to_owned()),
                None => Part::Image,
            };
            parts.iter().map(part).collect()
        }
        other => panic!("{other}"),
    };
    let role = match message["role"].as_str().unwrap() {
        "system" => Role::System,
        "user" => Role::User,
        _ => Role::Assistant,
    };
    Turn {
        role,
        parts,
        spelled: false,
    }
}

#[test]
fn templates_render_as_in_transformers() {
    let golden = include_str!("../../../../tests/golden/text/chats.json");
    let golden: Vec<Value> = serde_json::from_str(golden).unwrap();
    for case in &golden {
        let token = |name: &str| case[name].as_str().unwrap_or_default();
        let content = match case["parts"].as_bool().unwrap() {
            true => Content::Parts,
            false => Content::Text,
        };
        let source = case["source"].as_str().unwrap();
        let template = ChatTemplate::new(source, token("bos"), token("eos"), content).unwrap();
        for run in case["runs"].as_array().unwrap() {
            let turns: Vec<Turn> = run["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(turn)
                .collect();
            let rendered = template.render_at(&turns, that_day());
            match run["text"].as_str() {
                Some(text) => assert_eq!(rendered.unwrap(), text, "{}", case["name"]),
                None => {
                    let error = rendered.unwrap_err().to_string();
                    assert!(
                        error.contains("alternate") || error.contains("incompatible"),
                        "{error}"
                    );
                }
            }
        }
    }
}

fn error_of(source: &str) -> String {
    let outcome = ChatTemplate::new(source, "<s>", "</s>", Content::Text)
        .and_then(|template| template.render(&[Turn::user("hello")]));
    match outcome {
        Ok(text) => panic!("{source:?} gave {} bytes", text.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn templates_that_mean_harm_are_stopped() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(999) %}{{ 'x' * 999 }}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{{ 'x' * 90000000 }}{{ 'x' * 90000000 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ '%999999999999d' | format(1) }}",
        "{{ '{:999999999999}'.format(1) }}",
        "{{ 'a\nb' | indent(999999999999) }}",
        "{{ messages | tojson(indent=999999999999) }}",
        "{{ range(999999999) | list }}",
        "{{ missing.of.course }}",
        "{% include 'other' %}",
        "{{ messages[0]",
        "{% if %}",
        "{% generation",
        "{{ raise_exception('no thanks') }}",
        "{{ strftime_now('%Q') }}",
        "{{ ''.__class__.__mro__() }}",
        "{{ '%999999999999d' % 1 }}",
        "{{ '%s' % missing.of.course }}",
        "{{ '%d' % 'x' }}",
        "{{ '%s' % ('a', 'b') }}",
        "{{ 'a'.center(999999999999) }}{{ 'a' | center(999999999999) }}",
        "{{ 'a'.zfill(999999999999) }}",
        "{{ 'a'.ljust(100000) }}",
        "{{ 'a'.split('') }}",
        "{{ [] | tojson(separators=('x' * 9999, ':')) }}",
        "{{ [] | tojson(indent='x' * 9999) }}",
        "{% set ns = namespace(x={}) %}{% for i in range(90) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x | tojson(sort_keys=true) }}",
    ] {
        let error = error_of(source);
        assert!(error.starts_with("chat template: "), "{source:?}: {error}");
    }
    assert!(error_of(&"x".repeat(MAX_SOURCE + 1)).contains("at most"));
    assert!(error_of("{{ raise_exception('no thanks') }}").contains("no thanks"));
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000));
    error_of(&nested);
    error_of(&"{% if true %}".repeat(15_000));
}

#[test]
fn a_text_models_template_is_shown_no_image() {
    let template = ChatTemplate::new("{{ bos_token }}", "<s>", "", Content::Text).unwrap();
    let error = template.render(&[Turn::about(1, "what?")]).unwrap_err();
    assert!(error.to_string().contains("no images"), "{error}");
    assert_eq!(template.render(&[Turn::user("what?")]).unwrap(), "<s>");
}

#[test]
fn marks_for_trainers_change_no_text() {
    let source = "a {%- generation %} b {% endgeneration -%}\n c{% if generation %}!{% endif %}";
    let template = ChatTemplate::new(source, "", "", Content::Text).unwrap();
    assert_eq!(template.render(&[Turn::user("x")]).unwrap(), "a b c");
}

#[test]
fn what_templates_use_of_python_and_jinja_is_as_there() {
    let golden = include_str!("../../../../tests/golden/text/jinja.json");
    let golden: Vec<(String, String)> = serde_json::from_str(golden).unwrap();
    let mut wrong = Vec::new();
    for (source, wanted) in &golden {
        let rendered = ChatTemplate::new(source, "<s>", "</s>", Content::Text)
            .and_then(|template| template.render(&[Turn::user("What is this?")]));
        match rendered {
            Ok(text) if text == *wanted => {}
            other => wrong.push(format!("{source}\n  {wanted:?}\n  {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dates_are_told_as_by_c() {
    let template = ChatTemplate::new(
        "{{ strftime_now('%F %T') }}|{{ strftime_now('%Z') }}|{{ strftime_now(\"%-d %B %Y\") }}",
        "",
        "",
        Content::Text,
    );
    let told = template.unwrap().render_at(&[Turn::user("x")], that_day());
    assert_eq!(told.unwrap(), "2024-07-26 12:00:00||26 July 2024");
}
