//! Fetches archives from the registries themselves, on machines that lack their clients.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use url::Url;

use super::error::SourceError;
use super::source::{Source, SourceKind};
use crate::agent;

/// Longest list of a package's files, and longest archive.
const MAX_LISTING_BYTES: u64 = 32 << 20;
const MAX_ARCHIVE_BYTES: u64 = 2 << 30;
/// A connection that brings nothing for so long is given up.
const STALL: Duration = Duration::from_secs(30);
/// No archive takes longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// A package in PyPI's simple index (PEP 691).
#[derive(Deserialize)]
struct Listing {
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    filename: String,
    url: String,
}

/// Where the registries are: as their clients are told, or else where they have always been.
pub(super) struct Registries {
    pub pypi: String,
    pub npm: String,
}

impl Registries {
    pub fn from_env() -> Self {
        let told = |names: &[&str], else_at: &str| {
            let values = names.iter().filter_map(|name| std::env::var(name).ok());
            let value = values.into_iter().find(|value| !value.is_empty());
            value.unwrap_or_else(|| else_at.to_owned())
        };
        Self {
            pypi: told(&["PIP_INDEX_URL"], "https://pypi.org/simple"),
            npm: told(
                &["npm_config_registry", "NPM_CONFIG_REGISTRY"],
                "https://registry.npmjs.org",
            ),
        }
    }

    /// Fetches the archive of a source of pip or npm into the folder `into`; its checksum is for
    /// the caller to compare.
    ///
    /// Errors if the registry cannot be asked, has no such file, or sends a file without end.
    pub fn download(&self, source: &Source, into: &Path) -> Result<(), SourceError> {
        let address = match source.kind {
            SourceKind::Npm => self.npm_address(source)?,
            _ => self.pypi_address(source)?,
        };
        let place = into.join(&source.file);
        let mut body = get(source, &address, "*/*")?;
        let mut archive = body.with_config().limit(MAX_ARCHIVE_BYTES).reader();
        let mut file = File::create(&place).map_err(SourceError::io(&place))?;
        let mut chunk = vec![0; 256 << 10];
        loop {
            let read = archive.read(&mut chunk);
            let read = read.map_err(|cause| failed(source, &address, cause.to_string()))?;
            if read == 0 {
                return Ok(());
            }
            file.write_all(&chunk[..read])
                .map_err(SourceError::io(&place))?;
        }
    }

    fn pypi_address(&self, source: &Source) -> Result<Url, SourceError> {
        let index = address(
            source,
            &format!("{}/{}/", self.pypi.trim_end_matches('/'), source.package),
        )?;
        let mut body = get(source, &index, "application/vnd.pypi.simple.v1+json")?;
        let mut text = Vec::new();
        let mut reader = body.with_config().limit(MAX_LISTING_BYTES).reader();
        reader
            .read_to_end(&mut text)
            .map_err(|cause| failed(source, &index, cause.to_string()))?;
        let listing: Listing = serde_json::from_slice(&text).map_err(|cause| {
            failed(
                source,
                &index,
                format!("no list of files as PEP 691 has it: {cause}"),
            )
        })?;
        let mut files = listing.files.into_iter();
        let listed = files
            .find(|listed| listed.filename == source.file)
            .ok_or_else(|| failed(source, &index, format!("has no file {}", source.file)))?;
        let found = index.join(&listed.url);
        found.map_err(|cause| failed(source, &index, format!("{:?}: {cause}", listed.url)))
    }

    fn npm_address(&self, source: &Source) -> Result<Url, SourceError> {
        let (registry, package) = (self.npm.trim_end_matches('/'), &source.package);
        let name = package.rsplit('/').next().unwrap_or_default();
        let version = &source.version;
        address(
            source,
            &format!("{registry}/{package}/-/{name}-{version}.tgz"),
        )
    }
}

fn address(source: &Source, text: &str) -> Result<Url, SourceError> {
    Url::parse(text).map_err(|cause| SourceError::Client {
        name: source.name.clone(),
        command: "the address of its registry".into(),
        reason: cause.to_string(),
    })
}

/// The address is shown without the name and password that a registry of one's own may want.
fn failed(source: &Source, address: &Url, reason: String) -> SourceError {
    let mut address = address.clone();
    let _ = address
        .set_username("")
        .and_then(|()| address.set_password(None));
    SourceError::Client {
        name: source.name.clone(),
        command: format!("GET {address}"),
        reason,
    }
}

fn get(source: &Source, address: &Url, accept: &str) -> Result<Body, SourceError> {
    let config = agent::patient(address.as_str(), STALL)
        .https_only(address.scheme() == "https")
        .timeout_global(Some(LONGEST))
        .accept_encoding("identity");
    let agent = config.build().new_agent();
    let answer = agent.get(address.as_str()).header("accept", accept).call();
    let answer = answer.map_err(|cause| failed(source, address, cause.to_string()))?;
    Ok(answer.into_body())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request after another: what is asked for, and what is said.
    fn serve(answers: Vec<(&'static str, String)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (path, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 2048];
                let read = stream.read(&mut request).unwrap();
                let asked = String::from_utf8_lossy(&request[..read]).into_owned();
                let status = match asked.starts_with(&format!("GET {path} ")) {
                    true => "200 OK",
                    false => "404 Not Found",
                };
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        address
    }

    fn source(kind: &str, package: &str, file: &str) -> Source {
        let text = format!(
            "name = \"it\"\nkind = {kind:?}\npackage = {package:?}\nversion = \"1.0\"\nfile = {file:?}\n\
             sha256 = {:?}\nlicence = \"MIT\"\n",
            "0".repeat(64)
        );
        toml::from_str(&text).unwrap()
    }

    fn registries(address: &str) -> Registries {
        Registries {
            pypi: format!("{address}/simple"),
            npm: address.to_owned(),
        }
    }

    #[test]
    fn a_wheel_is_found_in_the_index_and_an_archive_of_npm_by_its_name() {
        let listing = r#"{"files": [{"filename": "other.whl", "url": "/no"}, {"filename": "it.whl", "url": "../../files/it.whl"}]}"#;
        let address = serve(vec![
            ("/simple/some-it/", listing.to_owned()),
            ("/files/it.whl", "wheel".to_owned()),
            ("/@of/it/-/it-1.0.tgz", "archive".to_owned()),
        ]);
        let (registries, folder) = (registries(&address), tempfile::tempdir().unwrap());
        let wheel = source("pip", "some-it", "it.whl");
        registries.download(&wheel, folder.path()).unwrap();
        let archive = source("npm", "@of/it", "of-it-1.0.tgz");
        registries.download(&archive, folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("it.whl"), "wheel");
        assert_eq!(read("of-it-1.0.tgz"), "archive");
    }

    #[test]
    fn what_the_registry_lacks_or_does_not_say_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (answer, words) in [
            (r#"{"files": []}"#, "has no file it.whl"),
            ("<html>", "no list of files"),
        ] {
            let address = serve(vec![("/simple/some-it/", answer.to_owned())]);
            let wheel = source("pip", "some-it", "it.whl");
            let error = registries(&address).download(&wheel, folder.path());
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(words) && error.contains("some-it"),
                "{error}"
            );
        }
        let address = serve(vec![("/elsewhere", String::new())]);
        let error =
            registries(&address).download(&source("npm", "it", "it-1.0.tgz"), folder.path());
        assert!(error.unwrap_err().to_string().contains("404"));
    }
}
