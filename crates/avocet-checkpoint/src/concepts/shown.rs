//! What a network is shown of a recognition: the likeliest names and the most specific kinds,
//! spelled in its own tokens.

use avocet_config::ConceptsConfig;
use avocet_media::Recognition;
use avocet_model::{Glance, NameSort, SpelledName};
use avocet_text::{ChatTokenizer, TokenizerError};

use super::table::ConceptTable;

/// The classes of a recogniser, with their names in a model's tokens.
#[derive(Debug, Clone)]
pub struct Concepts {
    table: ConceptTable,
    config: ConceptsConfig,
    names: Vec<Vec<u32>>,
    exact: Vec<Vec<u32>>,
    kinds: Vec<Vec<u32>>,
    /// Kinds by the number of their classes, the most specific first.
    specific: Vec<usize>,
}

/// How likely each name and each kind is.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// By name.
    pub names: Vec<f32>,
    /// By kind.
    pub kinds: Vec<f32>,
    /// By class.
    pub classes: Vec<f32>,
}

impl Concepts {
    /// The table with its names spelled as an answer of `language` would spell them.
    ///
    /// Errors if the language cannot say a name.
    pub fn new(
        table: ConceptTable,
        config: &ConceptsConfig,
        language: &ChatTokenizer,
    ) -> Result<Self, TokenizerError> {
        let spelled = |name: &String| {
            let mut ids = language.opening(name)?;
            ids.truncate(config.max_name_tokens);
            Ok::<_, TokenizerError>(ids)
        };
        let all = |names: &[String]| names.iter().map(spelled).collect::<Result<Vec<_>, _>>();
        let exact = table.classes.iter().map(|class| spelled(&class.exact));
        let mut sizes = vec![0usize; table.kinds.len()];
        for kind in table.classes.iter().flat_map(|class| &class.kinds) {
            sizes[*kind] += 1;
        }
        let mut specific: Vec<usize> = (0..table.kinds.len()).collect();
        specific.sort_by_key(|kind| (sizes[*kind], usize::MAX - kind));
        Ok(Self {
            names: all(&table.names)?,
            exact: exact.collect::<Result<_, _>>()?,
            kinds: all(&table.kinds)?,
            specific,
            config: config.clone(),
            table,
        })
    }

    /// The classes.
    pub fn table(&self) -> &ConceptTable {
        &self.table
    }

    /// How likely each name and kind is where the classes have these logarithms of probabilities.
    pub fn posterior(&self, log_probs: &[f32]) -> Posterior {
        let classes: Vec<f32> = log_probs.iter().map(|log| log.exp()).collect();
        let mut names = vec![0.0; self.names.len()];
        let mut kinds = vec![0.0; self.kinds.len()];
        for (class, probability) in self.table.classes.iter().zip(&classes) {
            names[class.name] += probability;
            for kind in &class.kinds {
                kinds[*kind] += probability;
            }
        }
        Posterior {
            names,
            kinds,
            classes,
        }
    }

    /// Kinds that are likely enough to be shown, the most specific first.
    pub fn likely_kinds(&self, posterior: &Posterior) -> Vec<usize> {
        let likely = |kind: &&usize| f64::from(posterior.kinds[**kind]) >= self.config.least_kind;
        let likely = self.specific.iter().filter(likely).copied();
        likely.take(self.config.num_kinds).collect()
    }

    /// The likeliest names, at most so many, the likeliest first.
    pub fn likely_names(&self, posterior: &Posterior, most: usize) -> Vec<usize> {
        likeliest(&posterior.names, most)
    }

    /// What a network is shown of a recognition.
    pub fn glance(&self, recognition: &Recognition) -> Glance {
        if recognition.log_probs.len() != self.table.classes.len() {
            return Glance {
                features: recognition.features.clone(),
                names: Vec::new(),
            };
        }
        let posterior = self.posterior(&recognition.log_probs);
        let mut names = Vec::with_capacity(self.config.max_names());
        let mut show = |ids: &Vec<u32>, probability: f32, rank: usize, sort: NameSort| {
            names.push(SpelledName {
                ids: ids.clone(),
                probability,
                rank,
                sort,
            });
        };
        let likely = self.likely_names(&posterior, self.config.num_names);
        for (rank, name) in likely.into_iter().enumerate() {
            let probability = posterior.names[name];
            show(&self.names[name], probability, rank, NameSort::Name);
        }
        if let Some(&class) = likeliest(&posterior.classes, 1).first() {
            let (probability, of) = (posterior.classes[class], &self.table.classes[class]);
            if self.table.names[of.name] != of.exact {
                show(&self.exact[class], probability, 0, NameSort::Exact);
            }
        }
        for (rank, kind) in self.likely_kinds(&posterior).into_iter().enumerate() {
            let probability = posterior.kinds[kind];
            show(&self.kinds[kind], probability, rank, NameSort::Kind);
        }
        Glance {
            features: recognition.features.clone(),
            names,
        }
    }
}

/// Places of the largest of `numbers`, at most so many, the largest first; of equal ones the first.
fn likeliest(numbers: &[f32], most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]).then(a.cmp(b)));
    places.truncate(most);
    places
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::TEXT;
    use super::*;
    use avocet_text::train_bpe;

    fn concepts() -> (Concepts, ChatTokenizer) {
        let language = ChatTokenizer::own(&train_bpe(["dog bus tench"], 262).unwrap()).unwrap();
        let config = ConceptsConfig {
            windows: 2,
            num_names: 2,
            num_kinds: 5,
            least_kind: 0.3,
            max_name_tokens: 4,
            initial_gate: 1e-4,
        };
        let table = ConceptTable::parse(TEXT, 4).unwrap();
        (Concepts::new(table, &config, &language).unwrap(), language)
    }

    #[test]
    fn classes_of_one_name_add_up_and_specific_kinds_come_first() {
        let (concepts, language) = concepts();
        let log_probs = [0.3f32, 0.25, 0.4, 0.05].map(f32::ln).to_vec();
        let recognition = Recognition {
            features: vec![1.0; 3],
            log_probs,
        };
        let glance = concepts.glance(&recognition);
        assert_eq!(glance.features, recognition.features);
        let said = |name: &SpelledName| (language.decode(&name.ids), name.sort, name.rank);
        let names: Vec<_> = glance.names.iter().map(said).collect();
        // What is longer than the model shows is cut off.
        assert_eq!(names[0], ("dog".into(), NameSort::Name, 0));
        assert_eq!(names[1], ("bus".into(), NameSort::Name, 1));
        assert_eq!((names[2].1, names[2].2), (NameSort::Exact, 0));
        let kinds: Vec<_> = names[3..]
            .iter()
            .map(|(_, sort, rank)| (sort, rank))
            .collect();
        assert_eq!(kinds.len(), 3, "{names:?}");
        assert!(kinds.iter().all(|(sort, _)| **sort == NameSort::Kind));
        assert!((glance.names[0].probability - 0.55).abs() < 1e-5);
        assert!(glance.names.iter().all(|name| name.ids.len() <= 4));
        assert_eq!(
            glance.names[3].ids,
            language.opening("vehicle").unwrap()[..4]
        );
    }

    #[test]
    fn a_recognition_of_other_classes_names_nothing() {
        let (concepts, _) = concepts();
        let recognition = Recognition::of_logits(vec![2.0], &[0.0; 9]);
        assert!(concepts.glance(&recognition).names.is_empty());
    }
}
