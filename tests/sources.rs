//! Sources whose mirror has moved on, with a client and a mirror of our own: no network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::command::{binary, stderr};

/// A synset with its gloss, as WordNet has them.
const NOUN: &str =
    "00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | that which is perceived or known  \n";
/// Gives `package_version_all.deb` of the mirror for `apt-get download package=version`.
const CLIENT: &str = "#!/bin/sh\nfor last; do :; done\n\
    file=${last%%=*}_${last#*=}_all.deb\n\
    [ -f \"$MIRROR/$file\" ] || { echo \"E: Version '${last#*=}' for '${last%%=*}' was not found\" >&2; exit 100; }\n\
    cp \"$MIRROR/$file\" .\n";

/// A mirror, a cache and a manifest that names the words at version 1 and the pages at version 1,
/// for which 2 and then 3 may stand in.
struct Debian {
    folder: TempDir,
}

impl Debian {
    fn new() -> Result<Self> {
        let debian = Self {
            folder: TempDir::new()?,
        };
        for name in ["bin", "mirror", "cache", "here"] {
            fs::create_dir(debian.at(name))?;
        }
        let client = debian.at("bin/apt-get");
        fs::write(&client, CLIENT)?;
        fs::set_permissions(&client, fs::Permissions::from_mode(0o755))?;
        let words = debian.package("words", "1", |root| {
            let folder = root.join("usr/share/wordnet");
            fs::create_dir_all(&folder)?;
            for name in ["data.verb", "data.adj", "data.adv"] {
                fs::write(folder.join(name), "")?;
            }
            Ok(fs::write(folder.join("data.noun"), NOUN)?)
        })?;
        let mut manifest = source("wordnet", "words", &("1", words));
        for version in ["1", "2", "3"] {
            let sum = debian.package("pages", version, |root| {
                let folder = root.join("usr/share/doc/python3.11/html");
                fs::create_dir_all(&folder)?;
                let page = format!(
                    "<div role=\"main\"><h1>bisect</h1><p>Revision {version} keeps a list in \
                     order, cheaply.</p></div>"
                );
                Ok(fs::write(folder.join("bisect.html"), page)?)
            })?;
            manifest += &match version {
                "1" => source("python-doc", "pages", &(version, sum)),
                _ => format!(
                    "[[source.instead]]\nversion = \"{version}\"\n\
                     file = \"pages_{version}_all.deb\"\nsha256 = \"{sum}\"\n"
                ),
            };
        }
        fs::write(debian.at("manifest.toml"), manifest)?;
        Ok(debian)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn archive(&self, package: &str, version: &str) -> PathBuf {
        self.at(&format!("mirror/{package}_{version}_all.deb"))
    }

    /// Puts a package into the mirror, and gives its checksum.
    fn package(
        &self,
        name: &str,
        version: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<String> {
        let root = self.at(&format!("{name}-{version}"));
        fs::create_dir_all(root.join("DEBIAN"))?;
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Test <a@b.org>\n\
             Description: none\n"
        );
        fs::write(root.join("DEBIAN/control"), control)?;
        fill(&root)?;
        let archive = self.archive(name, version);
        let built = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args([&root, &archive])
            .output()?;
        ensure!(built.status.success(), "{}", stderr(&built));
        let bytes = fs::read(&archive)?;
        Ok(Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// Has a dataset made of the words and the pages.
    fn make(&self, output: &str) -> Result<Output> {
        Ok(Command::new(binary())
            .args(["data", "text", "--split", "train", "--manifest"])
            .args([self.at("manifest.toml"), "-o".into(), self.at(output)])
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.at("bin").display()),
            )
            .env("MIRROR", self.at("mirror"))
            .env("AVOCET_CACHE", self.at("cache"))
            .current_dir(self.at("here"))
            .stdin(Stdio::null())
            .output()?)
    }

    /// As [`Debian::make`], which must do; gives what was said and the dataset's settings.
    fn makes(&self, output: &str) -> Result<(String, serde_json::Value)> {
        let made = self.make(output)?;
        ensure!(made.status.success(), "{}", stderr(&made));
        let manifest = fs::read(self.at(output).join("manifest.json"))?;
        let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
        Ok((stderr(&made), manifest["recipe"]["settings"].clone()))
    }
}

fn source(name: &str, package: &str, (version, sum): &(&str, String)) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"debian\"\npackage = \"{package}\"\n\
         version = \"{version}\"\nfile = \"{package}_{version}_all.deb\"\nsha256 = \"{sum}\"\n\
         licence = \"none\"\n"
    )
}

#[test]
fn a_revision_that_the_mirror_has_dropped_is_stood_in_for_and_that_is_said() -> Result<()> {
    let debian = Debian::new()?;
    // While the mirror has what the manifest names, nothing is said.
    let (said, settings) = debian.makes("own")?;
    assert!(!said.contains("stands in"), "{said}");
    assert_eq!(settings["stand_ins"], serde_json::Value::Null);

    fs::remove_dir_all(debian.at("cache"))?;
    fs::remove_file(debian.archive("pages", "1"))?;
    fs::remove_file(debian.archive("pages", "2"))?;
    let (said, settings) = debian.makes("other")?;
    assert!(
        said.contains("python-doc: pages 1 was not to be had, pages 3 stands in for it"),
        "{said}"
    );
    assert_eq!(
        settings["stand_ins"],
        serde_json::json!({"python-doc": "3"})
    );

    // What stood in once is in the cache: the mirror may lose that too.
    fs::remove_file(debian.archive("pages", "3"))?;
    let (said, _) = debian.makes("again")?;
    assert!(said.contains("pages 3 stands in for it"), "{said}");
    // Nothing of all this is written where the command ran.
    assert_eq!(fs::read_dir(debian.at("here"))?.count(), 0);
    Ok(())
}

#[test]
fn an_archive_put_into_the_cache_is_as_good_as_its_checksum() -> Result<()> {
    let debian = Debian::new()?;
    for version in ["2", "3"] {
        fs::remove_file(debian.archive("pages", version))?;
    }
    let kept = debian.at("kept.deb");
    fs::rename(debian.archive("pages", "1"), &kept)?;
    let made = debian.make("none")?;
    let said = stderr(&made);
    assert_eq!(made.status.code(), Some(1), "{said}");
    for word in ["python-doc", "2 or 3", "pages_1_all.deb", "cache"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");

    let copy = debian.at("cache/pages_1_all.deb");
    fs::write(&copy, "another file")?;
    let said = stderr(&debian.make("none")?);
    assert!(said.contains("hashes to"), "{said}");

    fs::rename(&kept, &copy)?;
    let (said, settings) = debian.makes("copied")?;
    assert!(!said.contains("stands in"), "{said}");
    assert_eq!(settings["stand_ins"], serde_json::Value::Null);
    Ok(())
}

#[test]
fn another_archive_under_the_name_of_one_that_stands_in_is_refused() -> Result<()> {
    let debian = Debian::new()?;
    fs::rename(debian.archive("pages", "1"), debian.archive("pages", "2"))?;
    let made = debian.make("none")?;
    let said = stderr(&made);
    assert_eq!(made.status.code(), Some(1), "{said}");
    assert!(
        said.contains("pages_2_all.deb") && said.contains("hashes to"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_cache_without_an_absolute_path_is_refused_and_nothing_is_left() -> Result<()> {
    let here = TempDir::new()?;
    let hub = ["models", "list"];
    let made = ["data", "text", "--split", "test", "-o", "out"];
    for (variable, value, command) in [
        ("AVOCET_CACHE", "cache", &made[..]),
        ("HOME", ".", &made),
        ("HF_HOME", "models", &hub),
        ("HF_HUB_CACHE", "~/models", &hub),
        ("HOME", "home", &hub),
    ] {
        let output = Command::new(binary())
            .args(command)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(variable, value)
            .current_dir(here.path())
            .stdin(Stdio::null())
            .output()?;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{variable}: {said}");
        assert!(
            said.contains(variable) && said.contains(value),
            "{variable}: {said}"
        );
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert_eq!(
            fs::read_dir(here.path())?.count(),
            0,
            "{variable} left something"
        );
    }
    Ok(())
}
