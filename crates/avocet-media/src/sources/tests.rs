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

#[test]
fn what_is_cached_needs_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let sources = Sources::with_cache(&manifest(dir.path(), "easy", SHA), &cache).unwrap();
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
        let error = Sources::with_cache(&path, dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("package") && error.contains("easy"),
            "{error}"
        );
    }
    let error = Sources::with_cache(&manifest(dir.path(), "easy", "abc"), dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("64") && error.to_string().contains('3'),
        "{error}"
    );
}

#[test]
fn a_misspelled_field_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = manifest(dir.path(), "easy", SHA);
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("licence", "license");
    fs::write(&path, text).unwrap();
    let error = Sources::with_cache(&path, dir.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("license"), "{error}");
}

#[test]
fn the_manifest_of_the_repository_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/manifest.toml");
    let sources = Sources::with_cache(&path, Path::new("unused")).unwrap();
    assert!(!sources.list().is_empty());
}
