//! Rows as people have them, read and refused.

mod forms;

use super::*;
use avocet_text::Turn;
use std::fs;

type Read = Vec<Result<Row, String>>;

fn all(path: &Path) -> Read {
    let rows = read(path).unwrap_or_else(|error| panic!("{error}"));
    rows.map(|row| row.map_err(|error| error.to_string()))
        .collect()
}

fn refused(path: &Path) -> String {
    match read(path) {
        Ok(_) => panic!("{}: is read", path.display()),
        Err(error) => error.to_string(),
    }
}

/// A folder with the pictures that a table names; no row looks into them.
fn folder(pictures: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in pictures {
        fs::write(folder.path().join(name), b"picture").unwrap();
    }
    folder
}

fn with_table(name: &str, text: impl AsRef<[u8]>) -> tempfile::TempDir {
    let folder = folder(&["a.png", "b.png"]);
    fs::write(folder.path().join(name), text).unwrap();
    folder
}

/// Two rows about a.png and b.png, red and blue.
fn is_red_and_blue(folder: &Path) {
    let rows = all(folder);
    assert_eq!(rows.len(), 2, "{rows:?}");
    for (row, (name, answer)) in rows.iter().zip([("a.png", "red"), ("b.png", "blue")]) {
        let row = row.as_ref().unwrap();
        assert_eq!(row.images, [RowPicture::File(folder.join(name))]);
        assert_eq!(
            row.turns,
            [Turn::about(1, "Which?"), Turn::assistant(answer)]
        );
        assert_eq!(row.answers, [answer]);
    }
}

#[test]
fn a_folder_of_pictures_is_read_from_either_table() {
    let folder = folder(&["a.png", "b.png", "c.png"]);
    let path = folder.path();
    let jsonl = "{\"file_name\":\"a.png\",\"question\":\"What?\",\"answer\":\"cat\",\"more\":1}\n\n{\"file_name\":\"../b.png\",\"question\":\"What?\",\"answer\":7}\n";
    fs::write(path.join("metadata.jsonl"), jsonl).unwrap();
    let rows = all(path);
    let first = rows[0].as_ref().unwrap();
    assert_eq!(first.images, [RowPicture::File(path.join("a.png"))]);
    assert_eq!(
        first.turns,
        [Turn::about(1, "What?"), Turn::assistant("cat")]
    );
    let error = rows[1].as_ref().unwrap_err();
    assert!(
        error.contains("metadata.jsonl, line 3") && error.contains("../b.png"),
        "{error}"
    );
    fs::remove_file(path.join("metadata.jsonl")).unwrap();
    let csv = "file_name,question,answer\na.png,\"Which, and\nwhere?\",cat\nb.png,What?,\nc.png,What?,7\n";
    fs::write(path.join("metadata.csv"), csv).unwrap();
    let rows = all(path);
    assert_eq!(
        rows[0].as_ref().unwrap().turns[0],
        Turn::about(1, "Which, and\nwhere?")
    );
    let error = rows[1].as_ref().unwrap_err();
    assert!(
        error.contains("line 4") && error.contains("`answer` is missing"),
        "{error}"
    );
    assert_eq!(rows[2].as_ref().unwrap().answers, ["7"]);
    fs::write(path.join("metadata.csv"), csv.replace('\n', "\r\n")).unwrap();
    let error = all(path)[1].as_ref().unwrap_err().clone();
    assert!(error.contains("line 4"), "{error}");
}

#[test]
fn conversations_with_several_pictures_keep_their_places() {
    let folder = folder(&["a", "b"]);
    let path = folder.path().join("talk.jsonl");
    let lines = [
        r#"{"images":["a","b"],"messages":[{"role":"user","content":"<image> or <image>?"},{"role":"assistant","content":"a"}]}"#,
        r#"{"images":["a"],"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"hm?"}]},{"role":"assistant","content":"b"}]}"#,
        r#"{"images":["a"],"messages":[{"role":"user","content":"<image><image>"},{"role":"assistant","content":"a"}]}"#,
        r#"{"images":[],"messages":[{"role":"user","content":"?"}]}"#,
        r#"{"question":"?","answers":["a","b"],"kind":"k"}"#,
        r#"{"question":"?","anwser":"a"}"#,
        "nonsense",
    ];
    fs::write(&path, lines.join("\n")).unwrap();
    let rows = all(&path);
    assert_eq!(rows[0].as_ref().unwrap().turns[0].num_images(), 2);
    assert_eq!(rows[1].as_ref().unwrap().turns[0], Turn::about(1, "hm?"));
    let error = |row: usize| rows[row].as_ref().unwrap_err();
    assert!(error(2).contains("2 <image> markers but 1 images"));
    assert!(error(3).contains("line 4"));
    assert_eq!(rows[4].as_ref().unwrap().answers, ["a", "b"]);
    assert!(error(5).contains("unknown field `anwser`"));
    assert!(error(6).contains("line 7"));
}

#[test]
fn tables_are_read_however_programs_write_them() {
    let tables: &[(&str, &[u8])] = &[
        ("commas", b"file_name,question,answer\na.png,Which?,red\nb.png,Which?,blue\n"),
        ("another case", b"File_Name,Question,ANSWER\na.png,Which?,red\nb.png,Which?,blue\n"),
        ("image", b"image,question,answer\na.png,Which?,red\nb.png,Which?,blue\n"),
        ("path, prompt", b"path,prompt,completion\na.png,Which?,red\nb.png,Which?,blue\n"),
        ("semicolons", b"file_name;question;answer\na.png;Which?;red\nb.png;Which?;blue\n"),
        ("sep=", b"sep=;\nfile_name;question;answer\na.png;Which?;red\nb.png;Which?;blue\n"),
        ("sep=, BOM, CRLF", b"\xef\xbb\xbfsep=;\r\nfile_name;question;answer\r\na.png;Which?;red\r\nb.png;Which?;blue\r\n"),
        ("quoted sep=,", b"\"sep=,\"\nfile_name,question,answer\na.png,Which?,red\nb.png,Which?,blue\n"),
        ("sep of a mark of its own", b"SEP=^\nfile_name^question^answer\na.png^Which?^red\nb.png^Which?^blue\n"),
        ("tabs", b"file_name\tquestion\tanswer\na.png\tWhich?\tred\nb.png\tWhich?\tblue\n"),
        ("bars", b"file_name|question|answer\na.png|Which?|red\nb.png|Which?|blue\n"),
        ("BOM", b"\xef\xbb\xbffile_name,question,answer\na.png,Which?,red\nb.png,Which?,blue"),
        ("quotes, BOM", b"\xef\xbb\xbf\"file_name\";\"question\";\"answer\"\n\"a.png\";\"Which?\";\"red\"\nb.png;Which?;blue\n"),
        ("an index, spaces", b",file_name, question ,answer\n0, a.png,Which?,red\n1,b.png ,Which?,blue\n"),
        ("old line ends", b"file_name,question,answer\ra.png,Which?,red\rb.png,Which?,blue\r"),
        ("commas in columns parted by ;", b"file_name;question;answer;a,b,c,d\na.png;Which?;red;1\nb.png;Which?;blue;2\n"),
    ];
    for (name, table) in tables {
        let folder = with_table("metadata.csv", table);
        println!("{name}");
        is_red_and_blue(folder.path());
        // The same as a file that is named itself.
        let rows = all(&folder.path().join("metadata.csv"));
        assert!(rows.iter().all(Result::is_ok), "{name}: {rows:?}");
    }
    let lines = "{\"File_Name\":\"a.png\",\"question\":\"Which?\",\"answer\":\"red\"}\n{\"image\":\"b.png\",\"query\":\"Which?\",\"label\":\"blue\"}\n";
    for text in [
        lines.to_owned(),
        format!("\u{feff}{lines}"),
        lines.replace('\n', "\r\n"),
    ] {
        is_red_and_blue(with_table("metadata.jsonl", text).path());
    }
}

#[test]
fn a_folder_of_pictures_is_never_read_without_them() {
    let refusals = [
        (
            "bild,question,answer\na.png,Which?,red\n",
            "bild, question, answer",
        ),
        ("question,answer\nWhich?,red\n", "question, answer"),
        (
            "file_name,image,question,answer\na.png,b.png,Which?,red\n",
            "`file_name` and `image`",
        ),
        (
            "file_name,question,Question,answer\na.png,A?,B?,red\n",
            "`question` and `Question`",
        ),
        (
            "file_name,answer,answer\na.png,b,c\n",
            "`answer` and `answer`",
        ),
        (
            "file_name,frage,answer\na.png,b,c\n",
            "file_name, frage, answer",
        ),
        (
            "a.png,Which?,red\nb.png,Which?,blue\n",
            "a.png, Which?, red",
        ),
        ("", "is empty"),
    ];
    for (table, words) in refusals {
        let folder = with_table("metadata.csv", table);
        let said = refused(folder.path());
        assert!(
            said.contains("metadata.csv") && said.contains(words),
            "{said}"
        );
    }
    let wrong = [
        (
            r#"{"bild":"a.png","question":"Which?","answer":"red"}"#,
            "bild, question, answer",
        ),
        (
            r#"{"file_name":"","question":"Which?","answer":"red"}"#,
            "names no picture",
        ),
        (
            r#"{"file_name":null,"question":"Which?","answer":"red"}"#,
            "names no picture",
        ),
        (
            r#"{"image":"a.png","images":["b.png"],"question":"A?","answer":"b"}"#,
            "`image` and `images`",
        ),
        (
            r#"{"image":"a.png","question":"A?","answer":"b","answer":"c"}"#,
            "`answer` and `answer`",
        ),
        (
            r#"{"image":"a.png","video":"a.mp4","question":"A?","answer":"b"}"#,
            "`video` is not read",
        ),
        (
            r#"{"image":"c.png","question":"A?","answer":"b"}"#,
            "c.png: no such file",
        ),
        (
            r#"{"image":".","question":"A?","answer":"b"}"#,
            "is no file",
        ),
        (
            r#"{"image":"https://example.org/a.png","question":"A?","answer":"b"}"#,
            "not fetched",
        ),
        (r#"{"image":7,"question":"A?","answer":"b"}"#, "`image`"),
    ];
    for (line, words) in wrong {
        let folder = with_table("metadata.jsonl", line);
        let rows = all(folder.path());
        let said = rows[0].as_ref().expect_err(line);
        assert!(said.contains("line 1") && said.contains(words), "{said}");
    }
    // Nor is a file whose fields speak of pictures.
    for field in [
        r#""imgae":"a.png""#,
        r#""image_id":7"#,
        r#""foto":["x/a.JPG"]"#,
        r#""meta":{"at":"a.webp"}"#,
    ] {
        let line = format!("{{{field},\"question\":\"A?\",\"answer\":\"b\"}}");
        let folder = with_table("rows.jsonl", &line);
        let rows = all(&folder.path().join("rows.jsonl"));
        let said = rows[0].as_ref().expect_err(field);
        assert!(said.contains("unknown field `"), "{said}");
    }
    let line = r#"{"question":"A?","answer":"b","source":"me","question_id":3}"#;
    let folder = with_table("rows.jsonl", line);
    let rows = all(&folder.path().join("rows.jsonl"));
    assert_eq!(
        rows[0].as_ref().unwrap().passed_over,
        ["source", "question_id"]
    );
}

#[test]
fn several_columns_name_a_picture_each() {
    let csv = "zero_file_name,one_file_name,question,answer\nb.png,a.png,Which?,red\n";
    let folder = with_table("metadata.csv", csv);
    let path = |name: &str| RowPicture::File(folder.path().join(name));
    assert_eq!(
        all(folder.path())[0].as_ref().unwrap().images,
        [path("b.png"), path("a.png")]
    );
    let json =
        r#"{"zero_file_name":"b.png","one_file_name":"a.png","question":"Which?","answer":"red"}"#;
    fs::remove_file(folder.path().join("metadata.csv")).unwrap();
    fs::write(folder.path().join("metadata.jsonl"), json).unwrap();
    assert_eq!(
        all(folder.path())[0].as_ref().unwrap().images,
        [path("b.png"), path("a.png")]
    );
    let list = "file_names,question,answers\n\"[\"\"b.png\"\", \"\"a.png\"\"]\",Which?,\"[\"\"red\"\", \"\"crimson\"\"]\"\n";
    fs::remove_file(folder.path().join("metadata.jsonl")).unwrap();
    fs::write(folder.path().join("metadata.csv"), list).unwrap();
    let rows = all(folder.path());
    let row = rows[0].as_ref().unwrap();
    assert_eq!(row.images, [path("b.png"), path("a.png")]);
    assert_eq!(row.answers, ["red", "crimson"]);
}

#[test]
fn empty_rows_are_told_from_wrong_ones() {
    let csv = "file_name,question,answer\na.png,Which?,red\n,,\n   \n , ,\nb.png,Which?,blue\n";
    let folder = with_table("metadata.csv", csv);
    let empty: Vec<(bool, usize)> = read(folder.path())
        .unwrap()
        .map(|row| row.map_or_else(|error| (error.empty, error.line), |row| (false, row.line)))
        .collect();
    assert_eq!(
        empty,
        [(false, 2), (true, 3), (true, 4), (true, 5), (false, 6)]
    );
    let lines = "{}\n{\"question\":null,\"answer\":\"\"}\n{\"question\":\"A?\"}\n";
    let folder = with_table("rows.jsonl", lines);
    let rows = read(&folder.path().join("rows.jsonl")).unwrap();
    let empty: Vec<bool> = rows.map(|row| row.unwrap_err().empty).collect();
    assert_eq!(empty, [true, true, false]);
}

#[test]
fn files_are_found_by_other_spellings_of_their_names() {
    let folder = folder(&["Mu\u{308}ller.png"]);
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/c.png"), b"").unwrap();
    let csv = "file_name,question,answer\nM\u{fc}ller.png,A?,b\nsub\\c.png,A?,b\nMuller.png,A?,b\n";
    fs::write(folder.path().join("metadata.csv"), csv).unwrap();
    let rows = all(folder.path());
    let path = |name: &str| RowPicture::File(folder.path().join(name));
    assert_eq!(
        rows[0].as_ref().unwrap().images,
        [path("Mu\u{308}ller.png")]
    );
    assert_eq!(rows[1].as_ref().unwrap().images, [path("sub/c.png")]);
    assert!(
        rows[2]
            .as_ref()
            .unwrap_err()
            .contains("Muller.png: no such file")
    );
}

#[test]
fn what_is_there_instead_of_a_table_is_said() {
    let folder = folder(&["a.png"]);
    let path = folder.path();
    let said = refused(path);
    assert!(
        said.contains("holds no metadata.jsonl or metadata.csv"),
        "{said}"
    );
    for name in ["labels.xlsx", "train.parquet"] {
        fs::write(path.join(name), "").unwrap();
    }
    let said = refused(path);
    assert!(
        said.contains("it holds labels.xlsx, train.parquet"),
        "{said}"
    );
    for name in ["train", "test"] {
        fs::create_dir(path.join(name)).unwrap();
        fs::write(path.join(name).join("metadata.csv"), "").unwrap();
    }
    let said = refused(path);
    assert!(said.contains("its folders test, train do"), "{said}");
    let said = dataset(path).unwrap_err().to_string();
    assert!(said.contains("its folders test, train do"), "{said}");

    let good = "file_name,question,answer\na.png,Which?,red\n";
    fs::write(path.join("metadata.csv"), good).unwrap();
    fs::write(path.join("metadata.jsonl"), "\u{feff} \n").unwrap();
    let said = refused(path);
    assert!(
        said.contains("metadata.jsonl is empty") && said.contains("metadata.csv"),
        "{said}"
    );
    fs::write(path.join("metadata.jsonl"), "{}").unwrap();
    let said = refused(path);
    assert!(said.contains("keep one of them"), "{said}");

    for (bytes, kind) in [
        (&b"PAR1\x15\x04"[..], "Parquet"),
        (b"PK\x03\x04\x14", "spreadsheet"),
        (b"\xff\xfef\0i\0", "UTF-16"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x80\x04\x95\0\0", "no text"),
    ] {
        for name in ["rows.csv", "rows.jsonl", "rows.parquet"] {
            fs::write(path.join(name), bytes).unwrap();
            let said = refused(&path.join(name));
            assert!(said.contains(kind) && said.contains(name), "{said}");
        }
    }
}
