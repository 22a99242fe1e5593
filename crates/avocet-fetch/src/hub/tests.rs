//! What a download promises: the shared layout, nothing twice, and to go on where it was cut.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use super::server::{COMMIT, Fault, Server, git_sha1, sha256};
use super::*;

const SHARD: &str = "model-00001-of-00002.safetensors";

fn id() -> HubId {
    HubId::parse("Owner/tiny-model").unwrap()
}

fn silent(_: &str, _: u64, _: Option<u64>) {}

#[test]
fn a_reference_has_an_owner_a_name_and_perhaps_a_file_and_a_revision() {
    for (text, owner, name, file, revision) in [
        (
            "HuggingFaceM4/idefics-9b",
            "HuggingFaceM4",
            "idefics-9b",
            None,
            "main",
        ),
        ("a/b.c@refs/pr/1", "a", "b.c", None, "refs/pr/1"),
        ("a/b/q4.gguf", "a", "b", Some("q4.gguf"), "main"),
        ("a/b/sub/q4.gguf@v1", "a", "b", Some("sub/q4.gguf"), "v1"),
    ] {
        let id = HubId::parse(text).unwrap();
        assert_eq!(
            (&*id.owner, &*id.name, id.file.as_deref(), &*id.revision),
            (owner, name, file, revision)
        );
        assert_eq!(id.to_string(), text);
    }
}

#[test]
fn a_fetched_model_lies_in_the_layout_that_other_tools_read() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let hub = server.hub(folder.path());
    assert_eq!(hub.cached(&id()), None);
    let snapshot = hub.fetch(&id(), &mut silent).unwrap();
    let model = folder.path().join("models--Owner--tiny-model");
    assert_eq!(snapshot, model.join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(model.join("refs/main")).unwrap(), COMMIT);
    for (name, stored) in &server.state().files {
        let place = snapshot.join(name);
        if name == "README.md" {
            assert!(!place.exists());
            continue;
        }
        assert_eq!(fs::read(&place).unwrap(), stored.bytes, "{name}");
        let etag = if stored.large {
            sha256(&stored.bytes)
        } else {
            git_sha1(&stored.bytes)
        };
        assert_eq!(
            fs::read(model.join("blobs").join(&etag)).unwrap(),
            stored.bytes,
            "{name}"
        );
        #[cfg(unix)]
        assert_eq!(
            fs::read_link(&place).unwrap(),
            Path::new("../../blobs").join(etag)
        );
    }
    assert_eq!(fs::read_dir(&snapshot).unwrap().count(), 5);
    assert_eq!(fs::read_dir(model.join("blobs")).unwrap().count(), 5);
    assert_eq!(hub.cached(&id()), Some(snapshot.clone()));
    let bytes = server
        .state()
        .files
        .values()
        .map(|f| f.bytes.len() as u64)
        .sum::<u64>()
        - 22;
    assert_eq!(
        hub.list(),
        [CachedModel {
            id: id(),
            folder: snapshot,
            bytes
        }]
    );
}

#[test]
fn what_is_cached_is_not_fetched_again() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let hub = server.hub(folder.path());
    let first = hub.fetch(&id(), &mut silent).unwrap();
    let before = server.count(&[""]);
    assert_eq!(hub.fetch(&id(), &mut silent).unwrap(), first);
    assert_eq!(
        server.count(&[""]),
        before + 1,
        "only which commit the branch is at"
    );
    let commit = HubId {
        revision: COMMIT.into(),
        ..id()
    };
    assert_eq!(hub.fetch(&commit, &mut silent).unwrap(), first);
    assert_eq!(
        server.count(&[""]),
        before + 1,
        "a commit needs no question"
    );
}

#[test]
fn without_a_network_the_cache_is_used_or_what_is_missing_is_said() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let offline = Hub::new(HubSettings {
        offline: true,
        ..server.settings(folder.path())
    });
    let error = offline.fetch(&id(), &mut silent).unwrap_err().to_string();
    assert!(
        error.contains("Owner/tiny-model: not in") && error.contains("all files"),
        "{error}"
    );
    let snapshot = server.hub(folder.path()).fetch(&id(), &mut silent).unwrap();
    server.state().requests.clear();
    assert_eq!(offline.fetch(&id(), &mut silent).unwrap(), snapshot);
    assert_eq!(server.count(&[""]), 0);
    // Nothing listens on this port any more: the hub cannot be reached.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{port}");
    let gone = Hub::new(HubSettings {
        endpoint,
        ..server.settings(folder.path())
    });
    assert_eq!(gone.fetch(&id(), &mut silent).unwrap(), snapshot);
    server.state().status = Some(503);
    let busy = server.hub(folder.path());
    assert_eq!(busy.fetch(&id(), &mut silent).unwrap(), snapshot);
    assert_eq!(server.count(&["hub GET"]), 1, "nobody waits for retries");
    fs::remove_file(snapshot.join(SHARD)).unwrap();
    let error = offline.fetch(&id(), &mut silent).unwrap_err().to_string();
    assert!(error.ends_with(SHARD), "{error}");
    assert!(matches!(
        gone.fetch(&id(), &mut silent),
        Err(HubError::Network { .. })
    ));
    assert_eq!(offline.cached(&id()), None);
    assert_eq!(offline.list(), []);
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    // More cuts than retries, but each brings bytes.
    server.fail(SHARD, &[10, 400_000, 1, 300_000].map(Fault::Cut));
    server.hub(folder.path()).fetch(&id(), &mut silent).unwrap();
    for start in [10, 400_010, 400_011, 700_011] {
        let range = format!("range={start} ");
        assert_eq!(server.count(&["store GET", SHARD, &range]), 1, "{start}");
    }
}

#[test]
fn a_download_that_was_given_up_goes_on_in_the_next_run() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.fail(
        SHARD,
        &[Fault::Cut(1000), Fault::Busy, Fault::Cut(0), Fault::Busy],
    );
    let hub = server.hub(folder.path());
    let error = hub.fetch(&id(), &mut silent).unwrap_err();
    assert!(matches!(
        error,
        HubError::Status { status: 503, .. } | HubError::Network { .. }
    ));
    assert_eq!(hub.cached(&id()), None);
    server.fail(SHARD, &[]);
    hub.fetch(&id(), &mut silent).unwrap();
    assert!(server.count(&["store GET", SHARD, "range=1000 "]) > 0);
}

#[test]
fn a_server_that_ignores_the_range_is_read_from_the_start() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.fail(SHARD, &[Fault::Cut(500_000), Fault::NoRange]);
    let snapshot = server.hub(folder.path()).fetch(&id(), &mut silent).unwrap();
    assert_eq!(
        fs::read(snapshot.join(SHARD)).unwrap(),
        server.state().files[SHARD].bytes
    );
}

#[test]
fn a_transfer_that_stalls_is_given_up_and_continued() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.fail(SHARD, &[Fault::Stall(123_456)]);
    let hub = server.hub(folder.path());
    hub.fetch(&id(), &mut silent).unwrap();
    assert_eq!(server.count(&["store GET", SHARD, "range=123456 "]), 1);
    server.fail("config.json", &[Fault::Stall(0); 3]);
    let error = server
        .hub(&folder.path().join("other"))
        .fetch(&id(), &mut silent)
        .unwrap_err();
    assert!(error.to_string().ends_with("no bytes for 0.9 s"), "{error}");
}

#[test]
fn progress_tells_each_file_from_its_start_to_its_end() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.fail(SHARD, &[Fault::Cut(500_000)]);
    let mut told = Vec::new();
    let mut note = |name: &str, done, all: Option<u64>| told.push((name.to_owned(), done, all));
    server.hub(folder.path()).fetch(&id(), &mut note).unwrap();
    let shard: Vec<u64> = told
        .iter()
        .filter(|(n, ..)| n == SHARD)
        .map(|t| t.1)
        .collect();
    assert!(shard.is_sorted() && shard.contains(&500_000), "{shard:?}");
    assert_eq!((shard[0], shard[shard.len() - 1]), (0, 1_000_003));
    assert!(
        told.iter()
            .all(|(name, _, all)| name != SHARD || *all == Some(1_000_003))
    );
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Hubs of their own lock by the file, as processes do.
                let hub = server.hub(folder.path());
                barrier.wait();
                hub.fetch(&id(), &mut silent).unwrap();
            });
        }
    });
    assert_eq!(server.count(&["store GET"]), 2, "two shards");
    assert_eq!(server.count(&["hub GET", "config.json"]), 1);
}

#[test]
fn the_token_is_sent_to_the_hub_and_to_nobody_else() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.state().token = Some("hf_secret".into());
    let mut settings = server.settings(folder.path());
    let error = Hub::new(settings.clone())
        .fetch(&id(), &mut silent)
        .unwrap_err();
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    settings.token = Some("hf_secret".into());
    assert!(!format!("{settings:?}").contains("hf_secret"));
    Hub::new(settings).fetch(&id(), &mut silent).unwrap();
    assert_eq!(server.count(&["store", "hf_secret"]), 0);
    assert!(server.count(&["store"]) > 0 && server.count(&["hub HEAD", "hf_secret"]) > 0);
}

#[test]
fn only_what_a_model_needs_is_chosen() {
    let files = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    let pickles = [
        "config.json",
        "pytorch_model-1.bin",
        "pytorch_model.bin.index.json",
        "a.pt",
    ];
    let chosen = choose(&files(&pickles), &id()).unwrap();
    assert_eq!(
        chosen,
        [
            "config.json",
            "pytorch_model.bin.index.json",
            "pytorch_model-1.bin"
        ]
    );
    let both = [
        "model.safetensors",
        "pytorch_model.bin",
        "adapter_model.safetensors",
        "x/y.pt",
    ];
    assert_eq!(choose(&files(&both), &id()).unwrap(), ["model.safetensors"]);
    assert_eq!(
        choose(&files(&["checkpoint.pt", "a.gguf"]), &id()).unwrap(),
        ["checkpoint.pt"]
    );
    let texts = [
        "chat_template.jinja",
        "tokenizer_config.json",
        "training_args.bin",
        "w.gguf",
    ];
    let named = HubId {
        file: Some("w.gguf".into()),
        ..id()
    };
    let wanted = ["chat_template.jinja", "tokenizer_config.json", "w.gguf"];
    assert_eq!(choose(&files(&texts), &named).unwrap(), wanted);
    let split = ["q-00001-of-00002.gguf", "q-00002-of-00002.gguf"];
    let named = HubId {
        file: Some(split[1].into()),
        ..id()
    };
    assert_eq!(choose(&files(&split), &named).unwrap(), split);
    let error = choose(&files(&split[1..]), &named).unwrap_err().to_string();
    assert!(error.contains(split[0]), "{error}");
    let error = choose(&files(&texts), &id()).unwrap_err().to_string();
    assert!(
        error.contains("weights") && error.contains(".gguf"),
        "{error}"
    );
}
