//! Objectives that teach the vision encoder on its own: reading by columns, and naming.
//!
//! From scratch, a decoder behind cross-attention gives an encoder almost nothing to learn from;
//! these heads do, and are dropped afterwards. Reading: the features of each column of patches,
//! averaged over the rows, give a few frames of characters, trained with connectionist temporal
//! classification (Graves et al., ICML 2006). Naming: the mean feature of an image is classified
//! among the names seen so far.

use avocet_data::Truth;
use avocet_kernels::{Weight, cross_entropy, ctc_frames, ctc_loss, group_means};
use avocet_model::{Builder, Init, Role};
use candle_core::Tensor;

use crate::config::AuxiliaryConfig;
use crate::error::Result;
use crate::eval::edit_distance;
use crate::patch_groups;

/// Label of "no character" in CTC; the characters follow it.
const BLANK: u32 = 0;
/// First printable ASCII character.
const FIRST: u32 = 0x20;
/// The blank and the printable ASCII characters.
const NUM_LABELS: usize = 96;

/// The heads that teach the vision encoder.
#[derive(Debug, Clone)]
pub struct AuxiliaryHeads {
    read_weight: Weight,
    read_bias: Tensor,
    name_weight: Weight,
    frames_per_column: usize,
}

/// Names and their places in the naming head, in the order in which they were first seen.
#[derive(Debug, Clone, Default)]
pub struct Names {
    order: Vec<String>,
    places: std::collections::HashMap<String, u32>,
}

impl Names {
    /// The names of a checkpoint.
    pub fn new(order: Vec<String>) -> Self {
        let places = order.iter().cloned().zip(0..).collect();
        Self { order, places }
    }

    /// All names in order.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// Names among `truths` that have no place, in the order in which they come.
    pub fn unknown(&self, truths: &[Option<Truth>]) -> Vec<String> {
        let names = truths.iter().filter_map(|truth| match truth {
            Some(Truth::Name(name)) if self.place(name).is_none() => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Gives every one of `names` that has no place yet the next one, while there are fewer than
    /// `limit`.
    pub fn learn(&mut self, names: Vec<String>, limit: usize) {
        for name in names {
            if self.order.len() < limit && !self.places.contains_key(&name) {
                self.places.insert(name.clone(), self.order.len() as u32);
                self.order.push(name);
            }
        }
    }

    fn place(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }
}

/// The auxiliary losses of a batch; a part is absent when no image asks for it.
#[derive(Debug)]
pub struct AuxiliaryLosses {
    /// Mean negative log-likelihood of a character read.
    pub ctc: Option<Tensor>,
    /// Mean negative log-likelihood of a name.
    pub names: Option<Tensor>,
    reading: Option<Reading>,
    naming: Option<Naming>,
}

#[derive(Debug)]
struct Reading {
    logits: Tensor,
    offsets: Vec<usize>,
    targets: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Naming {
    pooled: Tensor,
    weight: Weight,
    targets: Vec<u32>,
}

/// How well the heads did on a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AuxiliaryAccuracy {
    /// Edits for each character, decoding greedily.
    pub character_error_rate: Option<f64>,
    /// Share of images named rightly.
    pub name_accuracy: Option<f64>,
}

impl AuxiliaryHeads {
    /// Heads over features `dim` wide.
    pub fn new(config: &AuxiliaryConfig, dim: usize, builder: Builder) -> Result<Self> {
        let stdev = 1.0 / (dim as f64).sqrt();
        let matrix = |builder: &Builder, outputs: usize| {
            let init = Init::Normal { stdev };
            builder.small_matrix((outputs, dim), "weight", Role::Matrix, init)
        };
        let labels = NUM_LABELS * config.frames_per_column;
        let (read, name) = (builder.pp("read"), builder.pp("name"));
        Ok(Self {
            read_weight: matrix(&read, labels)?,
            read_bias: read.tensor(labels, "bias", Role::Bias, Init::Constant(0.0))?,
            name_weight: matrix(&name, config.num_names)?,
            frames_per_column: config.frames_per_column,
        })
    }

    /// Most names that the naming head tells apart.
    pub(crate) fn num_names(&self) -> usize {
        self.name_weight.dims()[0]
    }

    /// The losses of `features` (P, D), one row a patch of the images of `grids`.
    ///
    /// An image without a truth takes no part; nor does a text longer than its columns can spell,
    /// nor a name without a place among `names`.
    pub fn losses(
        &self,
        features: &Tensor,
        grids: &[(usize, usize)],
        truths: &[Option<Truth>],
        names: &Names,
    ) -> Result<AuxiliaryLosses> {
        let reading = self.read(features, grids, truths)?;
        let naming = self.name(features, grids, truths, names)?;
        let ctc = match &reading {
            Some(Reading {
                logits,
                offsets,
                targets,
            }) => {
                let characters = targets.iter().map(Vec::len).sum::<usize>().max(1);
                let weights = vec![1.0 / characters as f32; targets.len()];
                Some(ctc_loss(logits, offsets, targets, &weights, BLANK)?)
            }
            None => None,
        };
        let name_loss = match &naming {
            Some(Naming {
                pooled,
                weight,
                targets,
            }) => {
                let weights = vec![1.0 / targets.len() as f32; targets.len()];
                Some(cross_entropy(pooled, weight, targets, &weights)?)
            }
            None => None,
        };
        Ok(AuxiliaryLosses {
            ctc,
            names: name_loss,
            reading,
            naming,
        })
    }

    fn read(
        &self,
        features: &Tensor,
        grids: &[(usize, usize)],
        truths: &[Option<Truth>],
    ) -> Result<Option<Reading>> {
        let mut targets = Vec::new();
        let wanted: Vec<bool> = grids
            .iter()
            .zip(truths)
            .map(|(&(_, columns), truth)| {
                let Some(Truth::Text(text)) = truth else {
                    return false;
                };
                let Some(labels) = spelled(text) else {
                    return false;
                };
                let fits = ctc_frames(&labels) <= columns * self.frames_per_column;
                if fits {
                    targets.push(labels);
                }
                fits
            })
            .collect();
        if targets.is_empty() {
            return Ok(None);
        }
        let (columns, offsets) = patch_groups::columns(grids, &wanted);
        let columns = group_means(features, &columns)?;
        let logits = self.read_weight.linear_bias(&columns, &self.read_bias)?;
        Ok(Some(Reading {
            logits: logits.reshape(((), NUM_LABELS))?, // (columns * frames, labels)
            offsets: offsets
                .iter()
                .map(|at| at * self.frames_per_column)
                .collect(),
            targets,
        }))
    }

    fn name(
        &self,
        features: &Tensor,
        grids: &[(usize, usize)],
        truths: &[Option<Truth>],
        names: &Names,
    ) -> Result<Option<Naming>> {
        let place = |truth: &Option<Truth>| match truth {
            Some(Truth::Name(name)) => names.place(name),
            _ => None,
        };
        let places: Vec<Option<u32>> = truths.iter().map(place).collect();
        let wanted: Vec<bool> = places.iter().map(Option::is_some).collect();
        let targets: Vec<u32> = places.into_iter().flatten().collect();
        if targets.is_empty() {
            return Ok(None);
        }
        Ok(Some(Naming {
            pooled: group_means(features, &patch_groups::images(grids, &wanted))?,
            weight: self.name_weight.clone(),
            targets,
        }))
    }
}

impl AuxiliaryLosses {
    /// Decodes what the heads say and compares; costs no backward pass.
    pub fn accuracy(&self) -> Result<AuxiliaryAccuracy> {
        let mut accuracy = AuxiliaryAccuracy::default();
        if let Some(reading) = &self.reading {
            let labels = best(&reading.logits)?;
            let (mut edits, mut characters) = (0, 0);
            for (bounds, target) in reading.offsets.windows(2).zip(&reading.targets) {
                let said = text_of(&collapsed(&labels[bounds[0]..bounds[1]]));
                edits += edit_distance(&said, &text_of(target));
                characters += target.len();
            }
            accuracy.character_error_rate = Some(edits as f64 / characters.max(1) as f64);
        }
        if let Some(naming) = &self.naming {
            let said = best(&naming.weight.linear(&naming.pooled)?)?;
            let right = said.iter().zip(&naming.targets).filter(|(a, b)| a == b);
            accuracy.name_accuracy = Some(right.count() as f64 / said.len() as f64);
        }
        Ok(accuracy)
    }
}

/// The labels of a text of printable ASCII; none if it holds anything else.
fn spelled(text: &str) -> Option<Vec<u32>> {
    let label = |c: char| matches!(c, ' '..='~').then(|| c as u32 - FIRST + 1);
    text.chars().map(label).collect()
}

fn text_of(labels: &[u32]) -> String {
    let character = |&label: &u32| char::from_u32(label - 1 + FIRST);
    labels.iter().filter_map(character).collect()
}

/// What a path of labels says: repeats are one, blanks nothing.
fn collapsed(path: &[u32]) -> Vec<u32> {
    let mut last = BLANK;
    let mut said = Vec::new();
    for &label in path {
        if label != last && label != BLANK {
            said.push(label);
        }
        last = label;
    }
    said
}

/// The index of the largest of each row.
fn best(logits: &Tensor) -> Result<Vec<u32>> {
    Ok(logits.argmax(candle_core::D::Minus1)?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::Gradients;
    use crate::optimizer::{AdamW, AdamWConfig};
    use crate::params::{Params, Selection};
    use avocet_kernels::{HOST, Placement};
    use std::collections::HashMap;

    #[test]
    fn a_path_of_labels_collapses_to_its_text() {
        let path: Vec<u32> = [0, 9, 9, 0, 9, 3, 3, 0].into();
        assert_eq!(collapsed(&path), [9, 9, 3]);
        assert_eq!(text_of(&spelled("Hi ~!").expect("ASCII")), "Hi ~!");
        assert_eq!(spelled("é"), None);
    }

    #[test]
    fn names_take_places_in_order_until_they_run_out() {
        let mut names = Names::new(vec!["a".into()]);
        let named = ["b", "a", "c"].map(|name| Some(Truth::Name(name.into())));
        let unknown = names.unknown(&named);
        assert_eq!(unknown, ["b", "c"]);
        names.learn(unknown, 2);
        assert_eq!(
            ["a", "b", "c"].map(|name| names.place(name)),
            [Some(0), Some(1), None]
        );
        assert_eq!(names.order(), ["a", "b"]);
    }

    #[test]
    fn the_heads_learn_two_texts_and_two_names_from_fixed_features() -> Result<()> {
        let params = Params::new(3, Selection::all(), HashMap::new(), &Placement::default());
        let config = AuxiliaryConfig {
            num_names: 5,
            frames_per_column: 2,
        };
        let heads = AuxiliaryHeads::new(&config, 12, params.builder())?;
        let grids = [(2, 3), (1, 3), (1, 1), (1, 1), (1, 1)];
        let text = |t: &str| Some(Truth::Text(t.into()));
        let name = |t: &str| Some(Truth::Name(t.into()));
        let truths = [text("aab"), text("cd"), name("chad"), None, name("mali")];
        let features: Vec<f32> = (0..12 * 12)
            .map(|i| ((i * i) as f32 * 0.37).sin())
            .collect();
        let features = Tensor::from_vec(features, (12, 12), &HOST)?;
        let mut names = Names::default();
        names.learn(names.unknown(&truths), heads.num_names());
        let rule = AdamWConfig {
            weight_decay: 0.0,
            ..AdamWConfig::default()
        };
        let trained = params.trained();
        let mut optimizer = AdamW::new(rule, &trained, |_| 1.0)?;
        for _ in 0..150 {
            let losses = heads.losses(&features, &grids, &truths, &names)?;
            let (Some(ctc), Some(naming)) = (losses.ctc, losses.names) else {
                panic!("both parts take part");
            };
            let gradients = Gradients::of(&trained, &mut (ctc + naming)?.backward()?)?;
            optimizer.step(&gradients, 0.05, 1.0)?;
        }
        let accuracy = heads
            .losses(&features, &grids, &truths, &names)?
            .accuracy()?;
        assert_eq!(accuracy.character_error_rate, Some(0.0));
        assert_eq!(accuracy.name_accuracy, Some(1.0));
        Ok(())
    }

    #[test]
    fn a_text_longer_than_its_columns_takes_no_part() -> Result<()> {
        let params = Params::new(3, Selection::all(), HashMap::new(), &Placement::default());
        let heads = AuxiliaryHeads::new(&AuxiliaryConfig::default(), 4, params.builder())?;
        let features = Tensor::ones((2, 4), candle_core::DType::F32, &HOST)?;
        let truths = [Some(Truth::Text("abcde".into()))]; // 2 columns of 2 frames
        let losses = heads.losses(&features, &[(1, 2)], &truths, &Names::default())?;
        assert!(losses.ctc.is_none() && losses.names.is_none());
        assert_eq!(losses.accuracy()?, AuxiliaryAccuracy::default());
        Ok(())
    }
}
