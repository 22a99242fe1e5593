//! Lists of objects, other programs' forms, and pictures in the row itself.

use super::*;

#[test]
fn lists_of_objects_are_read_one_by_one() {
    let list = "\u{feff}[\n  {\"id\": \"x\", \"image\": \"a.png\",\n   \"conversations\": [{\"from\": \"human\", \"value\": \"<image>\\nWhich?\"}, {\"from\": \"gpt\", \"value\": \"red\"}]},\n  {\"image\": \"none.png\", \"question\": \"?\", \"answer\": \"b\"},\n  {\"image\": \"b.png\", \"question\": \"Which?\", \"answer\": \"blue\"}\n]\n";
    let folder = with_table("llava.json", list);
    let path = folder.path().join("llava.json");
    let rows = all(&path);
    assert_eq!(rows.len(), 3);
    let first = rows[0].as_ref().unwrap();
    assert_eq!(
        (first.line, &first.turns[0]),
        (2, &Turn::about(1, "Which?"))
    );
    assert_eq!(first.id.as_deref(), Some("x"));
    assert!(rows[1].as_ref().unwrap_err().contains("line 4"));
    assert_eq!(rows[2].as_ref().unwrap().line, 5);
    for (text, rows_read, words) in [
        ("[]", 0, ""),
        ("[{\"question\":\"a\",\"answer\":\"b\"}", 1, "cut off"),
        ("[{\"question\":\"a\",\"answer\":\"b\"} {}]", 1, "a comma"),
        (
            "[{\"question\":\"a\",\"answer\":\"b\"}] more",
            1,
            "more follows",
        ),
        ("[7]", 0, "expected an object"),
        ("[{\"question\":\"a\",", 0, "EOF"),
        ("[", 0, "cut off"),
    ] {
        fs::write(&path, text).unwrap();
        let rows = all(&path);
        let wrong: Vec<&String> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(rows.len() - wrong.len(), rows_read, "{text}: {rows:?}");
        assert_eq!(
            wrong.len(),
            usize::from(!words.is_empty()),
            "{text}: {wrong:?}"
        );
        assert!(
            wrong.iter().all(|said| said.contains(words)),
            "{text}: {wrong:?}"
        );
    }
}

#[test]
fn forms_of_other_programs_are_read() {
    let rows = [
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"Which?"}]},{"role":"assistant","content":[{"type":"text","text":"red"}]}],"images":["a.png"]}"#,
            "TRL",
        ),
        (
            r#"{"prompt":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"Which?"}]}],"completion":[{"role":"assistant","content":"red"}],"images":["a.png"]}"#,
            "TRL in two",
        ),
        (
            r#"{"prompt":"Which?","completion":"red","image":"a.png"}"#,
            "texts of TRL",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"a.png"}},{"type":"text","text":"Which?"}]},{"role":"assistant","content":"red"}]}"#,
            "OpenAI",
        ),
        (
            r#"{"image":{"bytes":null,"path":"a.png"},"question":"Which?","answer":"red"}"#,
            "Hugging Face's pictures",
        ),
        (
            r#"{"image":"a.png","question":"Which?","answers":[{"answer":"red","answer_id":1}]}"#,
            "VQA",
        ),
        (
            r#"{"images":["a.png"],"instruction":"Which?","input":"","output":"red","system":""}"#,
            "Alpaca",
        ),
        (
            r#"{"id":7,"image":"a.png","conversations":[{"from":"human","value":"<image>\nWhich?"},{"from":"gpt","value":"red"}]}"#,
            "LLaVA",
        ),
    ];
    for (line, name) in rows {
        let folder = with_table("rows.jsonl", line);
        let read = all(&folder.path().join("rows.jsonl"));
        let row = read[0]
            .as_ref()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            row.turns,
            [Turn::about(1, "Which?"), Turn::assistant("red")],
            "{name}"
        );
        assert_eq!(
            row.images,
            [RowPicture::File(folder.path().join("a.png"))],
            "{name}"
        );
        assert_eq!(row.answers, ["red"], "{name}");
    }
    let line = r#"{"instruction":"Translate.","input":"rot","output":"red","system":"Be brief."}"#;
    let folder = with_table("rows.jsonl", line);
    let read = all(&folder.path().join("rows.jsonl"));
    let turns = &read[0].as_ref().unwrap().turns;
    let wanted = [
        Turn::system("Be brief."),
        Turn::user("Translate.\nrot"),
        Turn::assistant("red"),
    ];
    assert_eq!(*turns, wanted);
}

#[test]
fn pictures_in_the_row_are_read_and_never_repeated() {
    let data = "aGVsbG8gd29ybGQh".repeat(200);
    let uri = format!("data:image/png;base64,{data}");
    for line in [
        format!(r#"{{"images":["{uri}"],"question":"A?","answer":"b"}}"#),
        format!(r#"{{"image":{{"bytes":"{data}"}},"question":"A?","answer":"b"}}"#),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"input_image","image_url":"{uri}"}}]}},{{"role":"assistant","content":"b"}}]}}"#
        ),
    ] {
        let folder = with_table("metadata.jsonl", &line);
        let rows = all(folder.path());
        let wanted = RowPicture::Held(b"hello world!".repeat(200));
        assert_eq!(rows[0].as_ref().unwrap().images, [wanted]);
    }
    let wrong = [
        format!(r#"{{"image":"{uri}!","question":"A?","answer":"b"}}"#),
        format!(r#"{{"image":"{data}","question":"A?","answer":"b"}}"#),
        format!(r#"{{"image":"data:image/svg+xml,{data}","question":"A?","answer":"b"}}"#),
        format!(r#"{{"question":"A?","{uri}":"b"}}"#),
        format!(r#"["{uri}"]"#),
        format!(r#""{uri}""#),
        format!(r#"{{"image":"{uri}"#),
    ];
    for line in wrong {
        let folder = with_table("rows.jsonl", &line);
        let rows = all(&folder.path().join("rows.jsonl"));
        let said = rows[0].as_ref().unwrap_err();
        assert!(
            said.len() < 400 && said.contains("rows.jsonl, line 1"),
            "{said}"
        );
    }
}
