//! A hub that lies: nothing it says leaves the cache folder, and nothing false enters.

use std::fs;
use std::path::Path;

use super::server::{COMMIT, Fault, Server};
use super::*;

fn id() -> HubId {
    HubId::parse("Owner/tiny-model").unwrap()
}

fn error(server: &Server, cache: &Path) -> HubError {
    let mut silent = |_: &str, _: u64, _: Option<u64>| {};
    server.hub(cache).fetch(&id(), &mut silent).unwrap_err()
}

#[test]
fn a_reference_that_could_leave_the_cache_is_refused() {
    for wrong in [
        "",
        "gpt2",
        "/",
        "a/",
        "/b",
        "../b",
        "a/..",
        "a/.b",
        "a/b c",
        "a/b@",
        "a/b@..",
        "a/b@/x",
        "a/b@x/../y",
        "a/b@x//y",
        "a--b/c",
        "a/b/weights.pt",
        "a/b/../x.gguf",
        "a/b//x.gguf",
        "a\\b/c",
        "a/b/c\\d.gguf",
        "a/b\0",
    ] {
        assert!(
            matches!(HubId::parse(wrong), Err(HubError::Id { .. })),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_listing_with_an_unsafe_name_is_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let cache = folder.path().join("a").join("hub");
    for name in [
        "../config.json",
        "/etc/config.json",
        "a/../../config.json",
        "..",
        "C:config.json",
        "a\\\\..\\\\config.json",
        "con\\u0000fig.json",
        "",
        "a//config.json",
    ] {
        let listing = format!(r#"{{"sha": "{COMMIT}", "siblings": [{{"rfilename": "{name}"}}]}}"#);
        server.state().listing = Some(listing);
        let error = error(&server, &cache);
        assert!(error.to_string().contains("is not safe"), "{name}: {error}");
    }
    assert!(!cache.exists());
}

#[test]
fn a_listing_that_is_none_is_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for (listing, words) in [
        ("", "no list of files"),
        ("<html>", "no list of files"),
        (
            r#"{"sha": "../../../x", "siblings": []}"#,
            "is not a commit",
        ),
        (r#"{"siblings": []}"#, "no list of files"),
    ] {
        server.state().listing = Some(listing.into());
        let error = error(&server, folder.path());
        assert!(matches!(error, HubError::Answer { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let endless = " ".repeat((32 << 20) + 1);
    server.state().listing = Some(endless);
    let error = error(&server, folder.path());
    assert!(
        error.to_string().contains("longer than 33554432 bytes"),
        "{error}"
    );
}

#[test]
fn wrong_bytes_never_enter_the_cache() {
    let shard = "model-00002-of-00002.safetensors";
    for (file, faults) in [
        ("config.json", vec![Fault::Wrong]),
        (shard, vec![Fault::Wrong]),
        (shard, vec![Fault::Cut(777), Fault::Wrong, Fault::Wrong]),
    ] {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        server.fail(file, &faults);
        let found = error(&server, folder.path());
        assert!(matches!(found, HubError::Checksum { .. }), "{found:?}");
        let HubError::Checksum { expected, .. } = found else {
            continue;
        };
        let blobs = folder.path().join("models--Owner--tiny-model/blobs");
        for left in [expected.clone(), format!("{expected}.incomplete")] {
            assert!(!blobs.join(left).exists());
        }
        let mut silent = |_: &str, _: u64, _: Option<u64>| {};
        server.hub(folder.path()).fetch(&id(), &mut silent).unwrap();
    }
}

#[test]
fn a_part_left_by_another_that_is_wrong_is_fetched_anew() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let shard = "model-00002-of-00002.safetensors";
    let stored = server.state().files[shard].bytes.clone();
    let blobs = folder.path().join("models--Owner--tiny-model/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", super::server::sha256(&stored)));
    for left in [
        vec![7; 1000],
        vec![7; stored.len()],
        vec![7; stored.len() + 5],
    ] {
        fs::write(&part, left).unwrap();
        let mut silent = |_: &str, _: u64, _: Option<u64>| {};
        let snapshot = server.hub(folder.path()).fetch(&id(), &mut silent).unwrap();
        assert_eq!(fs::read(snapshot.join(shard)).unwrap(), stored);
        assert!(!part.exists());
        fs::remove_dir_all(folder.path().join("models--Owner--tiny-model")).unwrap();
        fs::create_dir_all(&blobs).unwrap();
    }
}

#[test]
fn a_file_without_a_checksum_is_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for etag in [
        "../../evil",
        "abc",
        "",
        "ABCDEF0123456789ABCDEF0123456789ABCDEF01",
    ] {
        server.state().etag = Some(etag.into());
        let error = error(&server, folder.path());
        assert!(error.to_string().contains("is no checksum"), "{error}");
    }
}

#[test]
fn redirects_in_a_circle_or_to_no_server_are_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let circle = format!("/Owner/tiny-model/resolve/{COMMIT}/config.json");
    for (to, words) in [
        (circle.as_str(), "more than 10 redirects"),
        ("file:///etc/passwd", "redirect to"),
        ("//other/config.json", "redirect to"),
        ("", "redirect to"),
    ] {
        server.state().redirect = Some(to.into());
        let error = error(&server, folder.path());
        assert!(matches!(error, HubError::Answer { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for (status, words) in [
        (401, "HF_TOKEN"),
        (403, "accept its terms"),
        (404, "does not exist"),
        (418, "status 418"),
        (500, "status 500"),
    ] {
        server.state().status = Some(status);
        server.state().requests.clear();
        let error = error(&server, folder.path()).to_string();
        assert!(
            error.contains(words) && error.contains("Owner/tiny-model"),
            "{error}"
        );
        let tries = if status == 500 { 3 } else { 1 };
        assert_eq!(server.count(&["hub GET"]), tries, "{status}");
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_a_byte_is_fetched() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let promised = choose::MAX_TEXT_BYTES + 1;
    server.state().length = Some(promised);
    let error = error(&server, folder.path());
    assert!(
        matches!(error, HubError::TooLarge { bytes, .. } if bytes == promised),
        "{error}"
    );
    assert_eq!(server.count(&["GET", "resolve"]), 0);
}

#[test]
fn an_index_that_names_files_elsewhere_is_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let index = br#"{"weight_map": {"a": "../../../etc/passwd"}}"#;
    server.put("model.safetensors.index.json", index, false);
    let error = error(&server, folder.path());
    assert!(
        error.to_string().contains("weight_map names the file"),
        "{error}"
    );
    assert_eq!(server.hub(folder.path()).cached(&id()), None);
}

#[test]
fn a_cache_that_someone_else_broke_is_not_taken_for_whole() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let hub = server.hub(folder.path());
    let mut silent = |_: &str, _: u64, _: Option<u64>| {};
    let snapshot = hub.fetch(&id(), &mut silent).unwrap();
    let branch = folder.path().join("models--Owner--tiny-model/refs/main");
    for wrong in [
        "",
        "../..",
        "0123",
        "not hex, and much longer than a commit has any need to be",
    ] {
        fs::write(&branch, wrong).unwrap();
        assert_eq!(hub.cached(&id()), None, "{wrong:?}");
    }
    assert_eq!(hub.fetch(&id(), &mut silent).unwrap(), snapshot);
    fs::write(snapshot.join("model.safetensors.index.json"), "{").unwrap();
    assert_eq!(hub.cached(&id()), None);
}
