//! Manifests and the cache, without a network: what is cached needs none, and what is wrong with
//! a manifest is said before anything is fetched.

use super::*;

const SHA: &str = "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f";

fn manifest(folder: &Path, package: &str, sha256: &str) -> PathBuf {
    let path = folder.join("manifest.toml");
    let text = format!(
        "[[source]]\nname = \"easy\"\nkind = \"pip\"\npackage = \"{package}\"\nversion = \"1.0\"\n\
         file = \"easy-1.0-py3-none-any.whl\"\nsha256 = \"{sha256}\"\nlicence = \"MIT\"\n"
    );
    fs::write(&path, text).unwrap();
    path
}

/// Reads a manifest, with the cache in a folder of the test's own.
fn with_cache(manifest: &Path, cache: &Path) -> Result<Sources, SourceError> {
    Sources::read(manifest, Ok(cache.to_path_buf()))
}

#[test]
fn what_is_cached_needs_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let sources = with_cache(&manifest(dir.path(), "easy", SHA), &cache).unwrap();
    assert!(!sources.is_cached("easy"));
    let place = cache.join("easy-fcb51b309b78c7b0");
    fs::create_dir_all(&place).unwrap();
    assert!(sources.is_cached("easy"));
    assert_eq!(sources.folder("easy").unwrap(), place);
    let error = sources.folder("hard").unwrap_err().to_string();
    assert!(
        error.contains("hard") && error.contains("manifest.toml"),
        "{error}"
    );
}

#[test]
fn fields_that_a_client_could_misread_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for package in [
        "--index-url=x",
        "a b",
        "a;b",
        "../x",
        "https://x",
        "a/b",
        "",
        "$(x)",
        "a@b",
    ] {
        let path = manifest(dir.path(), package, SHA);
        let error = with_cache(&path, dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("package") && error.contains("easy"),
            "{error}"
        );
    }
    let error = with_cache(&manifest(dir.path(), "easy", "abc"), dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("64") && error.to_string().contains('3'),
        "{error}"
    );
}

#[test]
fn a_revision_that_stands_in_is_checked_as_the_source_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = manifest(dir.path(), "easy", SHA);
    let own = fs::read_to_string(&path).unwrap();
    let instead = |version: &str, sha: &str| {
        let text = format!(
            "{own}[[source.instead]]\nversion = \"{version}\"\nfile = \"easy-2.whl\"\nsha256 = \"{sha}\"\n"
        );
        fs::write(&path, text).unwrap();
        with_cache(&path, dir.path())
    };
    assert!(instead("2", SHA).is_ok());
    for (version, sha, word) in [("--x", SHA, "version"), ("2", "abc", "sha256")] {
        let error = instead(version, sha).unwrap_err().to_string();
        assert!(error.contains("easy") && error.contains(word), "{error}");
    }
}

#[test]
fn a_misspelled_field_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = manifest(dir.path(), "easy", SHA);
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("licence", "license");
    fs::write(&path, text).unwrap();
    let error = with_cache(&path, dir.path()).unwrap_err().to_string();
    assert!(error.contains("license"), "{error}");
}

#[test]
fn the_bundled_manifest_is_sound() {
    let sources = Sources::bundled(Path::new("unused")).unwrap();
    assert!(!sources.sources.is_empty());
}

#[test]
fn an_archive_of_another_hash_is_refused_with_both_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sources = with_cache(&manifest(dir.path(), "easy", SHA), dir.path()).unwrap();
    let (partial, place) = (dir.path().join("partial"), dir.path().join("place"));
    fs::create_dir(&partial).unwrap();
    let archive = partial.join("easy-1.0-py3-none-any.whl");
    fs::write(&archive, b"not it").unwrap();
    let found = hash(&archive).unwrap();
    let source = sources.get("easy").unwrap();
    let error = admit(source, &archive, &partial, &place)
        .unwrap_err()
        .to_string();
    assert!(error.contains(SHA) && error.contains(&found), "{error}");
    assert!(!place.exists() && !partial.exists());
}

#[test]
fn an_archive_that_does_not_unpack_leaves_no_folder_to_be_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (partial, place) = (dir.path().join("partial"), dir.path().join("place"));
    fs::create_dir(&partial).unwrap();
    let archive = partial.join("easy-1.0-py3-none-any.whl");
    fs::write(&archive, b"PK\x03\x04 cut short").unwrap();
    let path = manifest(dir.path(), "easy", &hash(&archive).unwrap());
    let sources = with_cache(&path, dir.path()).unwrap();
    let source = sources.get("easy").unwrap();
    let error = admit(source, &archive, &partial, &place)
        .unwrap_err()
        .to_string();
    assert!(error.contains("does not unpack"), "{error}");
    assert!(!place.exists() && !sources.is_cached("easy"));
}
