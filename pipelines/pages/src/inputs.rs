//! What the dataset is made from: pages by URL, file or folder, each in every window; and
//! numbers of made-up pages.

use std::fs;
use std::path::{Path, PathBuf};

use avocet_browser::Viewport;
use avocet_browser::request_policy::is_page;
use avocet_fetch::web::web_url;
use avocet_media::named::find;

use crate::args::Args;
use crate::error::PagesError;

/// One input: a line of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Its name, which decides its split and its random draws.
    pub name: String,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A page, and the window it is shown in.
    Page {
        source: String,
        place: Place,
        viewport: Viewport,
        /// Of a manual of the manifest, under this licence.
        manual: Option<String>,
    },
    /// A made-up page by its number.
    Synthetic(u64),
}

/// Where a page is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Url(String),
    File(PathBuf),
    InFolder { root: PathBuf, page: PathBuf },
}

/// All inputs, in an order that depends only on what was asked for.
///
/// Errors if an input is neither URL, page nor folder, or a folder cannot be listed.
pub(crate) fn all(args: &Args) -> Result<Vec<Input>, PagesError> {
    let mut places: Vec<(String, Place)> = Vec::new();
    for given in &args.inputs {
        let wrong = |reason: String| PagesError::Input {
            input: given.to_string_lossy().into_owned(),
            reason,
        };
        if let Some(url) = given.to_str().filter(|name| name.contains("://")) {
            web_url(url).map_err(|error| wrong(error.to_string()))?;
            places.push((url.to_owned(), Place::Url(url.to_owned())));
            continue;
        }
        let path = &find(Path::new(given));
        let metadata = fs::metadata(path).map_err(|cause| wrong(cause.to_string()))?;
        if metadata.is_dir() {
            let root = path
                .canonicalize()
                .map_err(|cause| wrong(cause.to_string()))?;
            let name = root
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mut pages = Vec::new();
            list(&root, Path::new(""), &mut pages)?;
            if pages.is_empty() {
                return Err(wrong("no .html file in this folder".into()));
            }
            for page in pages {
                let source = format!("{name}/{}", page.display());
                places.push((
                    source,
                    Place::InFolder {
                        root: root.clone(),
                        page,
                    },
                ));
            }
        } else if is_page(path) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            places.push((name, Place::File(path.to_owned())));
        } else {
            return Err(wrong("is no .html, .htm or .xhtml file".into()));
        }
    }
    let mut inputs = Vec::new();
    for (source, place) in places {
        for viewport in &args.viewports {
            let name = format!("{source} {}", viewport.name);
            let (source, place, viewport) = (source.clone(), place.clone(), viewport.clone());
            inputs.push(Input {
                name,
                what: What::Page {
                    source,
                    place,
                    viewport,
                    manual: None,
                },
            });
        }
    }
    for number in 0..args.synthetic {
        inputs.push(Input {
            name: format!("synthetic/{number:07}"),
            what: What::Synthetic(number),
        });
    }
    Ok(inputs)
}

/// The pages below `root`, sorted; links to folders are not followed.
fn list(root: &Path, below: &Path, pages: &mut Vec<PathBuf>) -> Result<(), PagesError> {
    let folder = root.join(below);
    let io = |cause| PagesError::Io {
        path: folder.clone(),
        cause,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        names.push((entry.file_name(), entry.file_type().map_err(io)?.is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        let path = below.join(&name);
        if is_folder {
            list(root, &path, pages)?;
        } else if is_page(&path) {
            pages.push(path);
        }
    }
    Ok(())
}
