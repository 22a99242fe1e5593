//! Images an engine has seen: cut into patches and encoded once, found again by what they show or
//! what their file holds. What is kept of an encoded image is what the decoder reads of it: keys
//! and values.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use avocet_media::{Blank, Damage, Patches, Picture};
use avocet_model::{Glance, ImageKeys};

/// Digest of an image file's bytes, or of a picture's pixels.
pub(crate) type ContentHash = [u8; 32];

/// An image ready to be asked about; cheap to clone.
#[derive(Debug, Clone)]
pub struct Image(pub(crate) Arc<CachedImage>);

/// One image's pixels and, once somebody asked about it, its keys and values.
#[derive(Debug)]
pub(crate) struct CachedImage {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) blank: Option<Blank>,
    pub(crate) damage: Option<Damage>,
    pub(crate) patches: Patches,
    /// What the model's recogniser makes of it, if the model has one.
    pub(crate) glance: Option<Glance>,
    pub(crate) keys: OnceLock<ImageKeys>,
}

impl Image {
    /// Width of the picture in pixels, as decoded.
    pub fn width(&self) -> usize {
        self.0.width
    }

    /// Height of the picture in pixels, as decoded.
    pub fn height(&self) -> usize {
        self.0.height
    }

    /// Why nothing is to be seen on it, if that is so.
    pub fn blank(&self) -> Option<Blank> {
        self.0.blank
    }

    /// What is wrong with the file, if it lacks a part of the picture.
    pub fn damage(&self) -> Option<Damage> {
        self.0.damage
    }

    /// Rows and columns of patches it is cut into.
    pub fn grid(&self) -> (usize, usize) {
        (self.0.patches.rows, self.0.patches.cols)
    }

    /// What the decoder attends to of it, once it is encoded.
    pub(crate) fn keys(&self) -> Option<&ImageKeys> {
        self.0.keys.get()
    }

    /// Whether the vision tower has already seen it.
    pub fn is_encoded(&self) -> bool {
        self.keys().is_some()
    }
}

impl CachedImage {
    pub(crate) fn new(
        picture: &Picture,
        patches: Patches,
        blank: Option<Blank>,
        damage: Option<Damage>,
    ) -> Self {
        Self {
            width: picture.width,
            height: picture.height,
            blank,
            damage,
            patches,
            glance: None,
            keys: OnceLock::new(),
        }
    }

    /// The same with what the model's recogniser makes of it.
    pub(crate) fn with_glance(self, glance: Option<Glance>) -> Self {
        Self { glance, ..self }
    }

    fn bytes(&self) -> usize {
        let keys = self.keys.get().map_or(0, ImageKeys::num_bytes);
        let features = self
            .glance
            .as_ref()
            .map_or(0, |glance| glance.features.len());
        (self.patches.data.len() + features) * size_of::<f32>() + keys
    }
}

/// The images used last, at most so many bytes of them.
#[derive(Debug)]
pub(crate) struct ImageCache {
    most_bytes: usize,
    entries: Mutex<Entries>,
}

/// Least recently used first.
type Entries = VecDeque<(ContentHash, Image)>;

impl ImageCache {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            entries: Mutex::new(VecDeque::new()),
        }
    }

    /// The image with this `hash`: remembered, or made by `see`.
    pub(crate) fn get_or_see<E>(
        &self,
        hash: ContentHash,
        see: impl FnOnce() -> Result<CachedImage, E>,
    ) -> Result<Image, E> {
        if let Some(image) = remembered(&mut self.entries(), hash) {
            return Ok(image);
        }
        let image = Image(Arc::new(see()?));
        let mut entries = self.entries();
        // Another caller may have seen the same picture meanwhile; one of the two is kept.
        if let Some(image) = remembered(&mut entries, hash) {
            return Ok(image);
        }
        entries.push_back((hash, image.clone()));
        let mut total: usize = entries.iter().map(|(_, image)| image.0.bytes()).sum();
        while total > self.most_bytes && entries.len() > 1 {
            total -= entries
                .pop_front()
                .map_or(0, |(_, oldest)| oldest.0.bytes());
        }
        Ok(image)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The image with this `hash`, which is now the one used last.
fn remembered(entries: &mut Entries, hash: ContentHash) -> Option<Image> {
    let place = entries.iter().position(|(known, _)| *known == hash)?;
    let entry = entries.remove(place)?;
    let image = entry.1.clone();
    entries.push_back(entry);
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: usize) -> CachedImage {
        CachedImage {
            width: 1,
            height: 1,
            blank: None,
            damage: None,
            patches: Patches {
                rows: 1,
                cols: 1,
                data: vec![0.0; values],
            },
            glance: None,
            keys: OnceLock::new(),
        }
    }

    fn see(cache: &ImageCache, hash: u8, times: &mut usize) -> Image {
        let made = cache.get_or_see::<()>([hash; 32], || {
            *times += 1;
            Ok(seen(10))
        });
        made.expect("seeing never fails here")
    }

    #[test]
    fn the_same_content_is_seen_once() {
        let (cache, mut times) = (ImageCache::new(1000), 0);
        let first = see(&cache, 1, &mut times);
        let again = see(&cache, 1, &mut times);
        assert_eq!(times, 1);
        assert!(Arc::ptr_eq(&first.0, &again.0));
    }

    #[test]
    fn the_least_recently_used_leaves_first() {
        let (cache, mut times) = (ImageCache::new(2 * 40), 0);
        let [a, b, c] = [1, 2, 3];
        for hash in [a, b, a, c] {
            see(&cache, hash, &mut times);
        }
        assert_eq!(times, 3);
        see(&cache, a, &mut times);
        assert_eq!(times, 3, "a was used after b");
        see(&cache, b, &mut times);
        assert_eq!(times, 4, "b had to leave for c");
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let (cache, mut times) = (ImageCache::new(1000), 0);
        let failed = cache.get_or_see([1; 32], || Err::<CachedImage, _>("broken"));
        assert!(failed.is_err());
        see(&cache, 1, &mut times);
        assert_eq!(times, 1);
    }
}
