//! What is lent to a loader: a recogniser of pictures, and samples that are made as they are drawn.

use std::sync::Arc;

use avocet_media::Recognition;

use crate::Sample;
use crate::shard::Reader;

/// Says what a recogniser makes of an encoded picture, or why it makes nothing of it. Lent by
/// whoever has one: data never sees a model.
pub type Recognise = Arc<dyn Fn(&[u8]) -> Result<Arc<Recognition>, String> + Send + Sync>;

/// Samples that are made as they are drawn: the same number makes the same sample.
pub struct MadeSamples {
    /// What they are called in reports.
    pub name: String,
    /// Samples of an epoch.
    pub count: usize,
    /// Makes the sample of a number.
    pub make: MakeSample,
}

/// Makes the sample of a number, or says why not.
pub type MakeSample = Box<dyn Fn(u64) -> Result<Made, String> + Send + Sync>;

/// A sample that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The sample.
    pub sample: Sample,
    /// What else is said of its pictures, each in a text by itself.
    pub said: Vec<Sample>,
    /// What a recogniser is to have made of its pictures.
    pub recognitions: Vec<Arc<Recognition>>,
}

impl std::fmt::Debug for MadeSamples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("MadeSamples");
        shown.field("name", &self.name).field("count", &self.count);
        shown.finish_non_exhaustive()
    }
}

/// Where samples come from.
#[derive(Debug, Clone)]
pub enum Samples {
    /// A dataset; may be shared by several loaders.
    Dataset(Arc<Reader>),
    /// They are made as they are drawn.
    Made(Arc<MadeSamples>),
}
