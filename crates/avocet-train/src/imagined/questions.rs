//! Questions whose answers follow a recogniser's opinion.
//!
//! What would really be on the picture is drawn by the opinion, and answered by: whoever learns
//! from many such questions says what is likeliest, and doubts as much as the opinion does. What
//! is not shown of it cannot be said.

use avocet_checkpoint::{Concepts, Posterior};
use avocet_media::Recognition;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::wording::{EXACT, IS, KIND, OR, WHAT, WHICH, ask as worded, with_article};

/// What is said where the opinion leaves too much open.
const NOT_SURE: &str = "not sure";
/// The kind that recognisers of things know too little of to deny it.
const UNKNOWN: &str = "person";
/// Names that are shown, and could be said.
const SHOWN: usize = 5;
/// A kind as likely as this may be said for the thing.
const SURE_OF_KIND: f32 = 0.6;
/// The widest kinds, which people ask for most.
const WIDEST: usize = 24;

/// A question and its answer.
pub(super) struct Question {
    pub kind: &'static str,
    pub question: String,
    pub answer: String,
}

/// Asks about what `recognition` says; the picture was made for `class`.
pub(super) fn ask(
    concepts: &Concepts,
    recognition: &Recognition,
    class: usize,
    rng: &mut ChaCha8Rng,
) -> Question {
    let posterior = concepts.posterior(&recognition.log_probs);
    let asker = Asker {
        concepts,
        shown: concepts.likely_names(&posterior, SHOWN),
        truth: drawn(&posterior.classes, class, rng),
        posterior,
    };
    match rng.random_range(0..100) {
        0..36 => asker.what(rng),
        36..44 => asker.kind(rng),
        44..48 => asker.exact(rng),
        48..53 => asker.which(rng),
        53..61 => asker.or(rng),
        _ => asker.yes_or_no(rng),
    }
}

/// What is on the picture, by how likely it is.
fn drawn(probabilities: &[f32], otherwise: usize, rng: &mut ChaCha8Rng) -> usize {
    let mut left = rng.random::<f32>();
    for (class, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return class;
        }
    }
    otherwise
}

struct Asker<'a> {
    concepts: &'a Concepts,
    posterior: Posterior,
    /// Names that are shown, the likeliest first.
    shown: Vec<usize>,
    truth: usize,
}

impl Asker<'_> {
    fn name(&self) -> usize {
        self.concepts.table().classes[self.truth].name
    }

    /// The thing's name, if the decoder is shown it.
    fn sayable(&self) -> Option<&str> {
        let name = self.name();
        let shown = self.shown.contains(&name);
        shown.then(|| &*self.concepts.table().names[name])
    }

    fn is_of(&self, kind: usize) -> bool {
        self.concepts.table().classes[self.truth]
            .kinds
            .contains(&kind)
    }

    fn what(&self, rng: &mut ChaCha8Rng) -> Question {
        let answer = self.sayable().unwrap_or(NOT_SURE).to_owned();
        Question {
            kind: "concept-name",
            question: worded(&WHAT, &[], rng),
            answer,
        }
    }

    /// The most specific kind that is all but sure.
    fn kind(&self, rng: &mut ChaCha8Rng) -> Question {
        let likely = self.concepts.likely_kinds(&self.posterior);
        let sure = likely
            .iter()
            .find(|kind| self.posterior.kinds[**kind] >= SURE_OF_KIND);
        let answer = sure.map_or(NOT_SURE, |kind| &*self.concepts.table().kinds[*kind]);
        Question {
            kind: "concept-kind",
            question: worded(&KIND, &[], rng),
            answer: answer.to_owned(),
        }
    }

    /// The name in full of the likeliest class, which alone is shown.
    fn exact(&self, rng: &mut ChaCha8Rng) -> Question {
        let classes = self.posterior.classes.iter().enumerate();
        let likeliest = classes.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        let likeliest = likeliest.map_or(self.truth, |(class, _)| class);
        let same = likeliest == self.truth;
        let exact = same.then(|| &*self.concepts.table().classes[likeliest].exact);
        Question {
            kind: "concept-exact",
            question: worded(&EXACT, &[], rng),
            answer: exact.or(self.sayable()).unwrap_or(NOT_SURE).to_owned(),
        }
    }

    /// What thing of a kind it is.
    fn which(&self, rng: &mut ChaCha8Rng) -> Question {
        let table = self.concepts.table();
        let kinds = &table.classes[self.truth].kinds;
        let Some(kind) = kinds.choose(rng).map(|kind| &*table.kinds[*kind]) else {
            return self.what(rng);
        };
        let answer = self.sayable().unwrap_or(NOT_SURE).to_owned();
        if answer == kind {
            return self.what(rng);
        }
        Question {
            kind: "concept-name",
            question: worded(&WHICH, &[kind], rng),
            answer,
        }
    }

    fn or(&self, rng: &mut ChaCha8Rng) -> Question {
        let table = self.concepts.table();
        let kinds = &table.classes[self.truth].kinds;
        let pair = match (rng.random_bool(0.5), kinds.choose(rng)) {
            (true, Some(&kind)) => self
                .other_kind(rng)
                .map(|other| (table.kinds[kind].as_str(), table.kinds[other].as_str())),
            _ => self.other_name(rng).map(|other| {
                (
                    table.names[self.name()].as_str(),
                    table.names[other].as_str(),
                )
            }),
        };
        let Some((right, wrong)) = pair else {
            return self.what(rng);
        };
        let mut named = [with_article(right), with_article(wrong)];
        if rng.random_bool(0.5) {
            named.swap(0, 1);
        }
        let [first, second] = &named;
        Question {
            kind: "concept-or",
            question: worded(&OR, &[first, second], rng),
            answer: right.to_owned(),
        }
    }

    fn yes_or_no(&self, rng: &mut ChaCha8Rng) -> Question {
        let table = self.concepts.table();
        let yes = rng.random_bool(0.5);
        let class = &table.classes[self.truth];
        let asked = match (yes, rng.random_bool(0.65)) {
            (true, true) => class.kinds.choose(rng).map(|kind| &*table.kinds[*kind]),
            (true, false) if rng.random_bool(0.25) => class.further.choose(rng).map(|name| &**name),
            (true, false) if rng.random_bool(0.25) => Some(&*class.exact),
            (true, false) => None,
            (false, true) => self.other_kind(rng).map(|kind| &*table.kinds[kind]),
            (false, false) => self.other_name(rng).map(|name| &*table.names[name]),
        };
        // A thing is called by its own name at least.
        let (yes, asked) = match asked {
            Some(asked) => (yes, asked),
            None => (true, &*table.names[class.name]),
        };
        let answer = match (yes, asked == UNKNOWN) {
            (true, _) => "yes",
            (false, true) => NOT_SURE,
            (false, false) => "no",
        };
        Question {
            kind: "concept-yes-no",
            question: worded(&IS, &[&with_article(asked)], rng),
            answer: answer.to_owned(),
        }
    }

    /// A kind that it is not: often one that is shown, or one of the widest.
    fn other_kind(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let table = self.concepts.table();
        for _ in 0..20 {
            let kind = match rng.random_range(0..4) {
                0 => self
                    .concepts
                    .likely_kinds(&self.posterior)
                    .choose(rng)
                    .copied(),
                1 => {
                    let other = self.shown.choose(rng)?;
                    let class = table.classes.iter().find(|class| class.name == *other)?;
                    class.kinds.choose(rng).copied()
                }
                2 => Some(rng.random_range(0..table.kinds.len().clamp(1, WIDEST))),
                _ => Some(rng.random_range(0..table.kinds.len().max(1))),
            };
            let fits = |kind: &usize| *kind < table.kinds.len() && !self.is_of(*kind);
            // What the thing is itself called is no other kind.
            let named = |kind: &usize| table.kinds[*kind] != table.names[self.name()];
            if let Some(kind) = kind.filter(fits).filter(named) {
                return Some(kind);
            }
        }
        None
    }

    /// A name that it has not: often another that is shown.
    fn other_name(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let table = self.concepts.table();
        for _ in 0..20 {
            let name = match rng.random_range(0..3) {
                0 => *self.shown.choose(rng)?,
                _ => rng.random_range(0..table.names.len()),
            };
            let kinds = &table.classes[self.truth].kinds;
            let is_kind = kinds
                .iter()
                .any(|kind| table.kinds[*kind] == table.names[name]);
            if name != self.name() && !is_kind {
                return Some(name);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_checkpoint::ConceptTable;
    use avocet_config::ConceptsConfig;
    use avocet_text::{ChatTokenizer, train_bpe};
    use rand::SeedableRng;

    fn concepts() -> Concepts {
        let text = "avocet concepts 1\nkind\tanimal\nkind\tbird\nkind\tdog\nkind\tvehicle\n\
            class\tdog\tbeagle\tEnglish hound\tanimal|dog\nclass\towl\towl\t\tanimal|bird\n\
            class\tbus\tschool bus\t\tvehicle\n";
        let table = ConceptTable::parse(text, 3).expect("a table");
        let tokenizer = train_bpe(["dog owl bus"], 262).expect("a tokenizer");
        let language = ChatTokenizer::own(&tokenizer).expect("a tokenizer");
        let config = ConceptsConfig {
            windows: 1,
            num_names: 5,
            num_kinds: 5,
            least_kind: 0.3,
            max_name_tokens: 8,
            initial_gate: 1.0,
        };
        Concepts::new(table, &config, &language).expect("concepts")
    }

    fn asked(log_probs: [f32; 3], count: usize) -> Vec<Question> {
        let concepts = concepts();
        let recognition = Recognition {
            features: Vec::new(),
            log_probs: log_probs.to_vec(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        (0..count)
            .map(|_| ask(&concepts, &recognition, 0, &mut rng))
            .collect()
    }

    #[test]
    fn of_a_sure_thing_every_answer_is_right() {
        let sure = [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
        for asked in asked(sure, 400) {
            let Question {
                question, answer, ..
            } = &asked;
            let own = ["dog", "animal", "beagle", "English hound"];
            let about_it = own.iter().any(|name| question.contains(name));
            match asked.kind {
                "concept-yes-no" => assert_eq!(answer == "yes", about_it, "{question} {answer}"),
                "concept-exact" => assert_eq!(answer, "beagle"),
                "concept-name" => assert_eq!(answer, "dog", "{question}"),
                _ => assert!(
                    ["dog", "animal"].contains(&answer.as_str()),
                    "{question} {answer}"
                ),
            }
        }
    }

    #[test]
    fn yes_is_about_as_frequent_as_no_and_doubt_is_answered_as_often_as_it_is_right() {
        let doubt = [0.7f32.ln(), 0.2f32.ln(), 0.1f32.ln()];
        let all = asked(doubt, 4000);
        let share = |kind: &str, answer: &str| {
            let of: Vec<_> = all.iter().filter(|asked| asked.kind == kind).collect();
            let said = of.iter().filter(|asked| asked.answer == answer);
            said.count() as f64 / of.len() as f64
        };
        let yes = share("concept-yes-no", "yes");
        assert!((0.42..0.62).contains(&yes), "{yes}");
        let dog = share("concept-name", "dog");
        assert!((0.64..0.76).contains(&dog), "{dog}");
    }
}
