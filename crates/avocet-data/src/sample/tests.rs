//! Samples written and read again, and what is refused.

use super::*;

const FROM: (&str, &str, &str) = ("vqa", "made-up", "CC0-1.0");

fn sample() -> Sample {
    let truth = Some(Truth::Name("cat".into()));
    let answer = Turn::transcription("a cat");
    Sample::question(FROM, b"\x89PNG...".to_vec(), truth, "What?", answer).unwrap()
}

#[test]
fn members_round_trip() {
    for sample in [sample(), sample().accepting(vec!["a kitten".into()])] {
        let mut bytes = Vec::new();
        sample.to_members(&mut bytes).unwrap();
        assert_eq!(Sample::from_members(&bytes).unwrap(), sample);
    }
    let mut bytes = Vec::new();
    let text = Sample::document(FROM, "Once.\u{1F600}").unwrap();
    text.to_members(&mut bytes).unwrap();
    assert_eq!(Sample::from_members(&bytes).unwrap(), text);
    let mut bytes = Vec::new();
    let both = Sample::interleaved(FROM, pieces("said")).unwrap();
    both.to_members(&mut bytes).unwrap();
    assert_eq!(Sample::from_members(&bytes).unwrap(), both);
}

fn pieces(said: &str) -> Vec<Piece> {
    vec![
        Piece::Image(vec![1], None),
        Piece::Text(said.into()),
        Piece::Image(vec![2], Some(Truth::Text("slide".into()))),
    ]
}

#[test]
fn a_document_holds_pictures_in_their_places() {
    let sample = Sample::interleaved(FROM, pieces("said")).unwrap();
    assert_eq!(sample.text(), "<image>said<image>");
    assert_eq!(sample.images, [vec![1], vec![2]]);
    let silent = Sample::interleaved(FROM, pieces(""));
    assert_eq!(silent, Err(SampleError::NothingToLearn));
}

#[test]
fn words_that_spell_the_marker_are_stored_as_words() {
    let asked = "What does <image> do?";
    let answer = Turn::assistant("<image> embeds one");
    let question = Sample::question(FROM, vec![1], None, asked, answer).unwrap();
    let document = Sample::interleaved(FROM, pieces("an <image> tag")).unwrap();
    assert_eq!(document.text(), "<image>an <image> tag<image>");
    for sample in [question, document] {
        let mut bytes = Vec::new();
        sample.to_members(&mut bytes).unwrap();
        assert_eq!(Sample::from_members(&bytes).unwrap(), sample);
    }
}

#[test]
fn descriptions_without_a_spelled_marker_are_stored_as_ever() {
    let described = |sample: Sample| {
        let json = String::from_utf8(sample.description()).unwrap();
        let (_, content) = json.split_once("\"content\":").unwrap();
        content.split_once(",\"truths\"").unwrap().0.to_owned()
    };
    assert_eq!(
        described(sample()),
        r#"{"turns":[{"role":"user","text":"<image>What?","spelled":false},{"role":"assistant","text":"a cat","spelled":true}]}"#
    );
    assert_eq!(
        described(Sample::interleaved(FROM, pieces("said")).unwrap()),
        r#"{"document":"<image>said<image>"}"#
    );
}

#[test]
fn in_a_text_without_pictures_the_marker_is_text() {
    let text = "write <image> twice: <image>";
    let sample = Sample::document(FROM, text).unwrap();
    assert_eq!(sample.id, "2c0fe8defbbb224e8c344408d556b936");
    assert_eq!(sample.text(), text);
    let only = Sample::interleaved(FROM, vec![Piece::Text(text.into())]);
    assert_eq!(only, Ok(sample));
}

#[test]
fn the_name_changes_with_any_content() {
    let one = sample();
    let other = Sample::question(
        FROM,
        b"\x89PNG..!".to_vec(),
        None,
        "What?",
        Turn::assistant("x"),
    )
    .unwrap();
    assert_ne!(one.id, other.id);
    assert_eq!(one.id.len(), 32);
}

#[test]
fn a_sample_changed_after_naming_is_refused() {
    let mut changed = sample();
    changed.kind = "other".into();
    assert!(matches!(
        changed.to_members(&mut Vec::new()),
        Err(SampleError::Id { .. })
    ));
}

#[test]
fn markers_and_images_must_agree() {
    let turns = vec![Turn::about(2, "?"), Turn::assistant("x")];
    let one = vec![(vec![1], None)];
    assert_eq!(
        Sample::new("k", "s", "l", one, Content::Turns(turns)),
        Err(SampleError::MarkerCount {
            markers: 2,
            images: 1
        })
    );
    assert_eq!(Sample::document(FROM, ""), Err(SampleError::NothingToLearn));
    assert_eq!(
        Sample::document(("", "s", "l"), "x"),
        Err(SampleError::EmptyField("kind"))
    );
}

#[test]
fn every_flipped_byte_of_contents_is_noticed() {
    let mut bytes = Vec::new();
    sample().to_members(&mut bytes).unwrap();
    let json_length = sample().description().len();
    let image_at = 2 * ustar::BLOCK + json_length.next_multiple_of(ustar::BLOCK);
    for at in (512..512 + json_length).chain(image_at..image_at + 7) {
        bytes[at] ^= 1;
        assert!(Sample::from_members(&bytes).is_err(), "byte {at}");
        bytes[at] ^= 1;
    }
}

#[test]
fn ten_thousand_mutated_samples_never_panic() {
    let mut bytes = Vec::new();
    sample().to_members(&mut bytes).unwrap();
    let mut state = 77u64;
    let mut draw = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % limit
    };
    for _ in 0..10_000 {
        let mut mutated = bytes.clone();
        for _ in 0..=draw(3) {
            let at = draw(mutated.len());
            match draw(4) {
                0 => mutated[at] ^= 1 << draw(8),
                1 => mutated[at] = b"0179{}[]\",\xff"[draw(11)],
                2 => mutated.truncate(at.max(1)),
                _ => {
                    let piece = mutated[at..].to_vec();
                    mutated.extend(piece);
                }
            }
        }
        if let Ok(found) = Sample::from_members(&mutated) {
            assert_eq!(found, sample());
        }
    }
}
