//! Where fetched things are kept: a folder of the user, never the one a command happens to run in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Why there is no folder to keep things in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// A variable names a folder that would be another one wherever a command runs.
    #[error("{variable} is {value:?}, which is no absolute path: set it to one, or not at all")]
    Relative {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: PathBuf,
    },
    /// Nothing says where the user's own folder is.
    #[error(
        "there is nowhere to keep what is fetched: HOME is not set, and the system knows no home \
         of this user; set HOME, or {variable}"
    )]
    NoHome {
        /// The variable that names the folder itself.
        variable: &'static str,
    },
}

/// What the environment says about folders.
pub struct Surroundings<'a> {
    /// The value of a variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The user's home as the system knows it, where HOME does not say.
    pub home: &'a dyn Fn() -> Option<PathBuf>,
}

impl Surroundings<'static> {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            variable: &|name| std::env::var_os(name),
            // HOME, or else the user's entry in the system's list of users.
            home: &std::env::home_dir,
        }
    }
}

impl Surroundings<'_> {
    /// The folder that `variable` names; none where it is not set, or empty.
    ///
    /// Errors if it names one that is not absolute.
    pub fn named(&self, variable: &'static str) -> Result<Option<PathBuf>, CacheError> {
        match (self.variable)(variable).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) if Path::new(&value).is_absolute() => Ok(Some(value.into())),
            Some(value) => Err(CacheError::Relative {
                variable,
                value: value.into(),
            }),
        }
    }

    /// The user's folder for caches, `$XDG_CACHE_HOME` or `.cache` in the home; `instead` is the
    /// variable that would do without it.
    ///
    /// Errors if the user has no home.
    pub fn user_cache(&self, instead: &'static str) -> Result<PathBuf, CacheError> {
        // A relative path here is to be ignored, says the XDG Base Directory Specification.
        if let Ok(Some(folder)) = self.named("XDG_CACHE_HOME") {
            return Ok(folder);
        }
        if let Some(home) = self.named("HOME")? {
            return Ok(home.join(".cache"));
        }
        let home = (self.home)().filter(|home| home.is_absolute());
        home.map(|home| home.join(".cache"))
            .ok_or(CacheError::NoHome { variable: instead })
    }

    /// As [`cache_folder`].
    pub fn cache_folder(&self) -> Result<PathBuf, CacheError> {
        const VARIABLE: &str = "AVOCET_CACHE";
        match self.named(VARIABLE)? {
            Some(folder) => Ok(folder),
            None => Ok(self.user_cache(VARIABLE)?.join("avocet")),
        }
    }
}

/// Where fetched things are kept: `$AVOCET_CACHE`, else the folder `avocet` of the user's cache.
///
/// Errors if a variable names no absolute path, or if the user has no home.
pub fn cache_folder() -> Result<PathBuf, CacheError> {
    Surroundings::of_process().cache_folder()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &str)], home: Option<&str>) -> Result<PathBuf, String> {
        let surroundings = Surroundings {
            variable: &|name| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| value.into())
            },
            home: &|| home.map(PathBuf::from),
        };
        surroundings.cache_folder().map_err(|e| e.to_string())
    }

    #[test]
    fn the_first_variable_that_names_a_folder_decides() {
        let all = [
            ("AVOCET_CACHE", "/a"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        for (skipped, right) in ["/a", "/x/avocet", "/h/.cache/avocet"].iter().enumerate() {
            assert_eq!(
                folder(&all[skipped..], Some("/p")),
                Ok(PathBuf::from(right))
            );
        }
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let empty = [("AVOCET_CACHE", ""), ("XDG_CACHE_HOME", ""), ("HOME", "")];
        for variables in [&empty[..], &[]] {
            assert_eq!(
                folder(variables, Some("/p")),
                Ok(PathBuf::from("/p/.cache/avocet"))
            );
            let error = folder(variables, None).unwrap_err();
            assert!(
                error.contains("HOME") && error.contains("AVOCET_CACHE"),
                "{error}"
            );
        }
        // Some users have a home that is no folder.
        assert!(folder(&[], Some("")).is_err());
    }

    #[test]
    fn a_relative_folder_is_never_taken() {
        for value in ["cache", "./cache", "~/cache", "."] {
            let error = folder(&[("AVOCET_CACHE", value)], Some("/p")).unwrap_err();
            assert!(
                error.contains("AVOCET_CACHE") && error.contains(value),
                "{error}"
            );
            let error = folder(&[("HOME", value)], Some("/p")).unwrap_err();
            assert!(error.starts_with("HOME is"), "{error}");
            assert_eq!(
                folder(&[("XDG_CACHE_HOME", value), ("HOME", "/h")], None),
                Ok(PathBuf::from("/h/.cache/avocet"))
            );
        }
    }
}
