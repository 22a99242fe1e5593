//! A dataset made by several processes: one folder each, named `part-R-of-N`.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::MANIFEST;
use crate::DataError;

/// The folders that together hold the dataset in `folder`: itself, or all of its parts in order.
///
/// Errors if there is no finished dataset, or a part is missing or unfinished.
pub(crate) fn folders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    if folder.join(MANIFEST).exists() {
        return Ok(vec![folder.to_path_buf()]);
    }
    let unfinished = |folder: &Path| {
        let reason = "no manifest.json: not a dataset, or one that is not finished";
        DataError::broken(folder, reason)
    };
    let mut world = 0;
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let name = entry.map_err(DataError::io(folder))?.file_name();
        world = world.max(name.to_str().and_then(world_of).unwrap_or(0));
    }
    if world == 0 {
        return Err(unfinished(folder));
    }
    let parts = (0..world).map(|rank| part_folder(folder, rank, world));
    let finished = |part: PathBuf| match part.join(MANIFEST).exists() {
        true => Ok(part),
        false => Err(unfinished(&part)),
    };
    parts.map(finished).collect()
}

/// Where the process of number `rank` of `world` writes its part of the dataset in `folder`.
pub fn part_folder(folder: &Path, rank: usize, world: usize) -> PathBuf {
    folder.join(format!("part-{rank}-of-{world}"))
}

/// N of a folder named `part-R-of-N`.
fn world_of(name: &str) -> Option<usize> {
    let (rank, world) = name.strip_prefix("part-")?.split_once("-of-")?;
    let (rank, world) = (rank.parse::<usize>().ok()?, world.parse::<usize>().ok()?);
    (rank < world && world <= 100_000).then_some(world)
}
