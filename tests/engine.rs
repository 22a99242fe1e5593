//! The engine as its callers rely on it: remembered images, packed answers, scores.

use std::io::Cursor;
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use avocet_infer::{
    Engine, FinishReason, Image, InferError, Question, SamplingOptions, ScoreOptions, Sequence,
};
use avocet_media::Limits;
use avocet_model::TextBatch;
use avocet_text::Turn;
use image::ImageFormat;

use crate::{pictures, tiny_model};

fn png(width: u32, height: u32) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    pictures::circle(width, height).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn question(text: &str, images: &[Image]) -> Question {
    Question {
        images: images.to_vec(),
        turns: vec![Turn::marked(text)],
    }
}

#[test]
fn questions_answered_together_get_the_answers_they_get_alone() -> Result<()> {
    let engine = tiny_model::engine()?;
    let (wide, tall) = (
        engine.read_image(&png(40, 12)?)?,
        engine.read_image(&png(9, 30)?)?,
    );
    let (wide, tall) = (std::slice::from_ref(&wide), std::slice::from_ref(&tall));
    let both = [wide, tall].concat();
    let questions = [
        question("<image>what is this?", wide),
        question("why?", &[]),
        question("<image>what does it say?", tall),
        question("is <image> like <image>?", &both),
        question("<image>what colour is it?", wide),
    ];
    let options = SamplingOptions::greedy(12);
    let together = engine.answer_together(&questions, &options)?;
    for (question, answer) in questions.iter().zip(together) {
        let alone = engine.answer(&question.images, &question.turns, &options, |_| {
            ControlFlow::Continue(())
        })?;
        assert_eq!(answer?.text, alone.text, "{:?}", question.turns);
    }
    Ok(())
}

/// Drawn at random, so that a last bit of a logit would soon show.
fn drawn(seed: u64, max_tokens: usize) -> SamplingOptions {
    SamplingOptions {
        temperature: 1.0,
        seed,
        ..SamplingOptions::greedy(max_tokens)
    }
}

fn begun<'a>(engine: &'a Engine, asked: &Question, seed: u64) -> Result<Sequence<'a>> {
    Ok(engine.sequence(&asked.images, &asked.turns, &drawn(seed, 12))?)
}

fn alone(engine: &Engine, asked: &Question, seed: u64) -> Result<Vec<u32>> {
    let go_on = |_: &str| ControlFlow::Continue(());
    let answer = engine.answer(&asked.images, &asked.turns, &drawn(seed, 12), go_on)?;
    Ok(answer.token_ids)
}

#[test]
fn sequences_that_join_and_leave_say_what_they_say_alone() -> Result<()> {
    fn movable<T: Send>(sequence: T) -> T {
        sequence
    }
    let engine = tiny_model::engine()?;
    let image = engine.read_image(&png(40, 12)?)?;
    let image = std::slice::from_ref(&image);
    let asked = [
        question("<image>what is this?", image),
        question("why?", &[]),
        question("what does it say? <image> what colour is it?", image),
    ];
    let [mut one, mut two, mut three] = [
        movable(begun(&engine, &asked[0], 1)?),
        begun(&engine, &asked[1], 2)?,
        begun(&engine, &asked[2], 3)?,
    ];
    engine.step(&mut [&mut one])?;
    engine.step(&mut [&mut two, &mut one])?;
    engine.step(&mut [&mut three, &mut two])?;
    while [&one, &two, &three].iter().any(|s| !s.is_finished()) {
        engine.step(&mut [&mut one, &mut three])?;
        engine.step(&mut [&mut two, &mut three, &mut one])?;
    }
    for (seed, (sequence, asked)) in (1..).zip([one, two, three].iter().zip(&asked)) {
        assert_eq!(sequence.answer().token_ids, alone(&engine, asked, seed)?);
        assert_eq!(sequence.cache_bytes(), 0, "a finished one keeps nothing");
    }
    Ok(())
}

#[test]
fn long_prompts_are_read_in_parts_and_may_be_cancelled_between_them() -> Result<()> {
    let engine = tiny_model::engine()?;
    let asked = question(&"why? what? ".repeat(6), &[]);
    let begin = |seed| begun(&engine, &asked, seed);
    let mut sequences: Vec<_> = (0..20).map(begin).collect::<Result<_>>()?;
    let mut all: Vec<_> = sequences.iter_mut().collect();
    engine.step(&mut all)?;
    assert!(
        !all[0].answer().token_ids.is_empty(),
        "the first prompt was read"
    );
    let last = all.len() - 1;
    assert!(
        all[last].answer().token_ids.is_empty(),
        "too many for a step"
    );
    assert!(all[last].cache_bytes() > 0, "but a part was read");
    all[last].cancel().cancel();
    while all.iter().any(|sequence| !sequence.is_finished()) {
        engine.step(&mut all)?;
    }
    let cancelled = &sequences[last];
    assert_eq!(cancelled.answer().finish_reason, FinishReason::Cancelled);
    assert_eq!(
        (cancelled.answer().token_ids.len(), cancelled.cache_bytes()),
        (0, 0)
    );
    for (seed, sequence) in (0..).zip(&sequences[..last]) {
        assert_eq!(sequence.answer().token_ids, alone(&engine, &asked, seed)?);
    }
    Ok(())
}

#[test]
fn steps_of_nothing_do_nothing() -> Result<()> {
    let engine = tiny_model::engine()?;
    engine.step(&mut [])?;
    let turns = [Turn::user("why?")];
    let mut silent = engine.sequence(&[], &turns, &SamplingOptions::greedy(0))?;
    assert!(silent.is_finished());
    engine.step(&mut [&mut silent])?;
    assert!(silent.answer().token_ids.is_empty());
    assert_eq!(silent.answer().finish_reason, FinishReason::Length);
    assert!(
        engine
            .answer_together(&[], &SamplingOptions::greedy(4))?
            .is_empty()
    );
    Ok(())
}

#[test]
fn a_question_that_cannot_be_answered_fails_alone() -> Result<()> {
    let engine = tiny_model::engine()?;
    let questions = [
        question("why?", &[]),
        question(" ", &[]),
        question("<image>", &[]),
        question("how?", &[]),
    ];
    let answers = engine.answer_together(&questions, &SamplingOptions::greedy(4))?;
    let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, true, false]);
    Ok(())
}

/// Many callers share one engine: a server's threads, each with a question of its own.
#[test]
fn answers_are_the_same_whoever_else_is_asking() -> Result<()> {
    fn shared<T: Send + Sync>(engine: T) -> T {
        engine
    }
    let engine = shared(tiny_model::engine()?);
    let pictures: Vec<Vec<u8>> = [(40, 12), (9, 30), (20, 20)]
        .into_iter()
        .map(|(width, height)| png(width, height))
        .collect::<Result<_>>()?;
    let options = SamplingOptions::greedy(12);
    let ask = |caller: usize| -> Result<String> {
        let image = engine.read_image(&pictures[caller % pictures.len()])?;
        let text = ["<image>what is this?", "<image>why?"][caller % 2];
        let asked = question(text, std::slice::from_ref(&image));
        let go_on = |_: &str| ControlFlow::Continue(());
        let answer = engine.answer(&asked.images, &asked.turns, &options, go_on)?;
        Ok(answer.text)
    };
    let together = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..12)
            .map(|caller| scope.spawn(move || ask(caller)))
            .collect();
        let joined = callers.into_iter().map(|caller| caller.join());
        joined.collect::<Vec<_>>()
    });
    for (caller, answer) in together.into_iter().enumerate() {
        let answer = answer.map_err(|_| anyhow::anyhow!("caller {caller} panicked"))??;
        assert_eq!(answer, ask(caller)?, "caller {caller}");
    }
    Ok(())
}

#[test]
fn the_same_file_is_looked_at_once() -> Result<()> {
    let engine = tiny_model::engine()?;
    let first = engine.read_image(&png(20, 20)?)?;
    assert!(!first.is_encoded());
    engine.encode(std::slice::from_ref(&first))?;
    assert!(engine.read_image(&png(20, 20)?)?.is_encoded());
    assert!(!engine.read_image(&png(20, 21)?)?.is_encoded());
    Ok(())
}

#[test]
fn a_picture_is_seen_as_its_file_is() -> Result<()> {
    let engine = tiny_model::engine()?;
    let file = png(40, 12)?;
    let picture = avocet_media::decode(&file, &Limits::default())?;
    let from_file = engine.read_image(&file)?;
    let image = engine.preprocess(&picture)?;
    assert_eq!((image.width(), image.height()), (40, 12));
    let ids = engine.encode_as_written("<|user|><|image|>what?<|assistant|>a red circle")?;
    let seen =
        |image: &Image| engine.score(&ids, std::slice::from_ref(image), ScoreOptions::default());
    assert_eq!(seen(&image)?.logprobs, seen(&from_file)?.logprobs);
    assert!(
        engine.preprocess(&picture)?.is_encoded(),
        "it is remembered"
    );
    let turns = [Turn::about(1, "what is this?")];
    let options = SamplingOptions::greedy(1);
    let answer = engine.answer(&[image], &turns, &options, |_| ControlFlow::Continue(()))?;
    assert_eq!(answer.usage.vision_tokens, engine.vision_tokens(40, 12)?);
    Ok(())
}

#[test]
fn of_several_questions_the_surest_answer_stands() -> Result<()> {
    let engine = tiny_model::engine()?;
    let image = engine.read_image(&png(40, 12)?)?;
    let images = std::slice::from_ref(&image);
    let options = SamplingOptions::greedy(6);
    let questions = ["what is this?", "why?", "what colour?"].map(str::to_owned);
    let surest = |questions: &[String]| -> Result<String> {
        let answer = engine.surest_answer(images, questions, &options)?;
        Ok(answer.context("a question was asked")?.text)
    };
    let mut alone = Vec::new();
    for question in &questions {
        let turns = [Turn::about(1, question.as_str())];
        let answer = engine.answer(images, &turns, &options, |_| ControlFlow::Continue(()))?;
        assert_eq!(surest(std::slice::from_ref(question))?, answer.text);
        let mut ids = engine.tokenizer().question(&turns)?.ids;
        let asked = ids.len();
        ids.extend(&answer.token_ids);
        let scored = engine
            .score(&ids, images, ScoreOptions::default())?
            .logprobs;
        let said = scored[asked..].iter().flatten();
        let sureness = said.sum::<f64>() / answer.token_ids.len() as f64;
        alone.push((sureness, answer.text));
    }
    alone.sort_by(|one, other| other.0.total_cmp(&one.0));
    assert_eq!(surest(&questions)?, alone[0].1);
    assert!(engine.surest_answer(images, &[], &options)?.is_none());
    Ok(())
}

#[test]
fn an_image_changes_the_answer() -> Result<()> {
    let engine = tiny_model::engine()?;
    let ids =
        engine.encode_as_written("<|user|><|image|>what is this?<|assistant|>a red circle")?;
    let seen = |bytes: Vec<u8>| -> Result<Vec<Option<f64>>> {
        let image = engine.read_image(&bytes)?;
        Ok(engine
            .score(&ids, &[image], ScoreOptions::default())?
            .logprobs)
    };
    assert_ne!(seen(png(20, 20)?)?, seen(png(40, 12)?)?);
    Ok(())
}

#[test]
fn scores_are_the_log_softmax_of_the_uncached_network() -> Result<()> {
    let engine = tiny_model::engine()?;
    let ids = engine.encode_as_written("<|user|>what is this?<|assistant|>a red circle<|end|>")?;
    let score = engine.score(
        &ids,
        &[],
        ScoreOptions {
            logits: true,
            greedy: 0,
        },
    )?;
    let batch = TextBatch {
        offsets: vec![0, ids.len()],
        visible_images: vec![(0, 0); ids.len()],
        ids: ids.clone(),
    };
    let hidden = engine.model().forward(&batch, None)?.hidden;
    let logits = engine.model().logits(&hidden)?.to_vec2::<f32>()?;
    assert_eq!(score.logprobs[0], None);
    for (index, row) in logits[..ids.len() - 1].iter().enumerate() {
        let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected = f64::from(row[ids[index + 1] as usize]) - sum.ln();
        let found = score.logprobs[index + 1].context("every token has a row")?;
        // f32 products summed in another order differ by some 1e-6 here.
        assert!(
            (found - expected).abs() < 1e-4,
            "{index}: {found} {expected}"
        );
    }
    let kept = score.logits.context("asked for")?;
    assert_eq!(
        kept.dims2()?,
        (ids.len(), engine.config().decoder.vocab_size)
    );
    Ok(())
}

#[test]
fn greedy_tokens_of_a_score_are_those_of_an_answer() -> Result<()> {
    let engine = tiny_model::engine()?;
    let turns = [Turn::user("what is this?")];
    let answer = engine.answer(&[], &turns, &SamplingOptions::greedy(6), |_| {
        ControlFlow::Continue(())
    })?;
    let ids = engine.tokenizer().question(&turns)?.ids;
    let greedy = engine
        .score(
            &ids,
            &[],
            ScoreOptions {
                logits: false,
                greedy: 6,
            },
        )?
        .greedy_ids;
    assert_eq!(greedy.len(), 6);
    assert_eq!(greedy[..answer.usage.completion_tokens], answer.token_ids);
    Ok(())
}

#[test]
fn the_context_is_never_left() -> Result<()> {
    let engine = tiny_model::engine()?;
    let context = engine.config().decoder.max_context;
    let turns = [Turn::user("why? ".repeat(12))];
    let answer = engine.answer(&[], &turns, &SamplingOptions::greedy(10_000), |_| {
        ControlFlow::Continue(())
    })?;
    assert!(answer.usage.prompt_tokens + answer.usage.completion_tokens <= context);
    let both = [question("why?", &[]), question("how? what?", &[])];
    for said in engine.answer_together(&both, &SamplingOptions::greedy(10_000))? {
        said?;
    }
    let long = [Turn::user("why? ".repeat(context))];
    let refused = engine.answer(&[], &long, &SamplingOptions::greedy(4), |_| {
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(InferError::TooLong { context: c, .. } | InferError::FarTooLong { context: c, .. }) if c == context),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn a_caller_may_stop_an_answer() -> Result<()> {
    let engine = tiny_model::engine()?;
    let mut pieces = 0;
    let options = SamplingOptions::greedy(50);
    engine.answer(&[], &[Turn::user("why?")], &options, |_| {
        pieces += 1;
        if pieces < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    assert!(pieces <= 3, "{pieces}");
    Ok(())
}
