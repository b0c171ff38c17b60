//! The checkpoint file, from which the next run resumes.
//!
//! In scope: the contents of the file, whether it belongs to this watch, and the lock against a second run.
//! Out of scope: which files are trusted, and how one is replaced (`files`); when it is written
//! (`sink::cursor`).

mod files;

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use etcdwatch_engine::model::{Fingerprint, Index, Scope};

use files::FileRefusal;

/// The version of the file's format.
const VERSION: u32 = 1;

/// The contents of a checkpoint file: a watch and its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    etcdwatch: u32,
    api: String,
    /// The cluster's id.
    pub cluster: String,
    key: String,
    /// The keys, if there are several. All are below `key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    recursive: bool,
    /// Whether `--prefix` was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    prefix: bool,
    /// The cursor: everything up to this index was printed.
    pub index: Index,
    /// The fingerprint of the last event that was printed.
    pub last: Option<Fingerprint>,
    /// The next transaction, if some of its events were printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// A transaction of which only the first events were printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The index of the transaction.
    pub index: Index,
    /// The number of its events that were printed.
    pub events: usize,
}

impl Checkpoint {
    /// A checkpoint for `scope` in `cluster`, where everything up to `index` was printed.
    #[must_use]
    pub fn new(scope: &Scope, cluster: String, index: Index, last: Option<Fingerprint>) -> Self {
        Self {
            etcdwatch: VERSION,
            api: scope.api().name().to_owned(),
            cluster,
            key: scope.key.as_str().to_owned(),
            keys: keys(scope),
            recursive: mode(scope).0,
            prefix: mode(scope).1,
            index,
            last,
            begun: None,
        }
    }

    /// Finds the scope that it belongs to in `scopes`, each for another API, and returns its place.
    ///
    /// # Errors
    /// Why it belongs to none of them.
    fn place(&self, scopes: &[Scope]) -> Result<usize, String> {
        let place = scopes
            .iter()
            .position(|scope| scope.api().name() == self.api);
        let Some((place, scope)) = place.and_then(|place| Some((place, scopes.get(place)?))) else {
            let wanted: Vec<&str> = scopes.iter().map(|scope| scope.api().name()).collect();
            let (is, wanted) = (&self.api, wanted.join(" or "));
            return Err(format!(
                "it belongs to a watch with the {is} API, not {wanted}"
            ));
        };
        self.mismatch(scope).map_or(Ok(place), Err)
    }

    /// Why it does not belong to a watch on `scope`; `None` if it does.
    fn mismatch(&self, scope: &Scope) -> Option<String> {
        let called = |(recursive, prefix)| match (recursive, prefix) {
            (_, true) => "with --prefix",
            (true, _) => "with -r",
            _ => "without -r",
        };
        if self.etcdwatch != VERSION {
            return Some(format!(
                "it has format {}, but this version of etcdwatch reads format {VERSION}",
                self.etcdwatch
            ));
        }
        let own = match self.keys.as_slice() {
            [] => self.key.clone(),
            several => several.join(" "),
        };
        if self.key != scope.key.as_str() || self.keys != keys(scope) {
            return Some(format!("it belongs to the key {own}, not {}", scope.name()));
        }
        let is = called((self.recursive, self.prefix));
        let wanted = called(mode(scope));
        (is != wanted).then(|| format!("it belongs to a watch {is}, not {wanted}"))
    }
}

/// The keys of a scope, if there are several.
fn keys(scope: &Scope) -> Vec<String> {
    let parts = scope.parts().iter().filter(|_| scope.is_several());
    parts.map(|part| part.key.as_str().to_owned()).collect()
}

/// Whether `-r` and whether `--prefix` was given. They apply to all keys.
fn mode(scope: &Scope) -> (bool, bool) {
    let first = scope.parts().first().unwrap_or(scope);
    (first.recursive, first.key.is_prefix())
}

/// The checkpoint of an earlier run, and the place of its scope.
pub type Earlier = (Checkpoint, usize);

/// A checkpoint file that is locked against other runs.
#[derive(Debug)]
pub struct CheckpointFile {
    path: PathBuf,
    _lock: File,
}

impl CheckpointFile {
    /// Locks the file for this run and reads it, if it exists. The run watches one of `scopes`, each for
    /// another API.
    ///
    /// # Errors
    /// If another run uses the file, it is not trusted, or it belongs to another watch.
    pub fn open(path: &Path, scopes: &[Scope]) -> Result<(Self, Option<Earlier>), Error> {
        let refused =
            |why: String| Error::Usage(format!("--checkpoint '{}': {why}", path.display()));
        let failed = |refusal| match refusal {
            FileRefusal::Unfit(why) => refused(why),
            FileRefusal::Unread(source) => Error::Input {
                what: format!("the checkpoint '{}'", path.display()),
                source,
            },
            FileRefusal::Unwritten(source) => Error::Checkpoint {
                path: path.display().to_string(),
                source,
            },
        };
        let file = files::follow_links(path).map_err(failed)?;
        let (lock, text) = files::lock_and_read(&file).map_err(failed)?;
        let store = Self {
            path: file,
            _lock: lock,
        };
        let Some(text) = text else {
            return Ok((store, None));
        };
        let checkpoint: Checkpoint = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("it is not a checkpoint of etcdwatch: {error}")))?;
        let place = checkpoint.place(scopes).map_err(refused)?;
        Ok((store, Some((checkpoint, place))))
    }

    /// Replaces the file atomically: a run that is killed leaves the old file or the new one.
    ///
    /// # Errors
    /// If it cannot be written. The old file is intact then.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let text = serde_json::to_vec(checkpoint).map_err(std::io::Error::from);
        text.and_then(|text| files::replace(&self.path, &[&text, &b"\n"[..]].concat()))
            .map_err(|source| Error::Checkpoint {
                path: self.path.display().to_string(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::model::Key;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn scope(key: &str, recursive: bool) -> Scope {
        Scope::new(Key::parse(key).unwrap(), recursive)
    }

    fn checkpoint(index: u64) -> Checkpoint {
        let last = Fingerprint {
            index: Index(index),
            key: b"/a/k".to_vec(),
            created: Index(3),
            value: Some(0x00ff),
            of_state: false,
        };
        Checkpoint::new(&scope("/a", true), "c".to_owned(), Index(index), Some(last))
    }

    #[test]
    fn a_checkpoint_is_read_back_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let (store, before) = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        assert_eq!(before, None);
        store.write(&checkpoint(7)).unwrap();
        store.write(&checkpoint(8)).unwrap();
        drop(store);
        let (_, after) = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        assert_eq!(after, Some((checkpoint(8), 0)));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_second_run_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let first = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        let error = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap_err();
        assert!(error.to_string().contains("another run uses it"), "{error}");
        drop(first);
        assert!(CheckpointFile::open(&path, &[scope("/a", true)]).is_ok());
    }

    #[test]
    fn a_symbolic_link_is_followed_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let open = |name: &str| CheckpointFile::open(&path(name), &[scope("/a", true)]);
        std::os::unix::fs::symlink("checkpoint", path("link")).unwrap();
        let (store, _) = open("link").unwrap();
        store.write(&checkpoint(7)).unwrap();
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        let error = open("checkpoint").unwrap_err();
        assert!(error.to_string().contains("another run uses it"), "{error}");
        drop(store);
        let (_, found) = open("checkpoint").unwrap();
        assert_eq!(found, Some((checkpoint(7), 0)));
        std::os::unix::fs::symlink("round", path("round")).unwrap();
        assert!(open("round").is_err());
    }

    #[test]
    fn a_file_at_the_temporary_name_is_replaced_and_a_link_there_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let precious = directory.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let (store, _) = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        std::os::unix::fs::symlink(&precious, path.with_extension("new")).unwrap();
        store.write(&checkpoint(7)).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        fs::write(path.with_extension("new"), "left behind").unwrap();
        store.write(&checkpoint(8)).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(store);
        let (_, found) = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        assert_eq!(found, Some((checkpoint(8), 0)));
    }

    #[test]
    fn the_checkpoint_of_another_watch_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let (store, _) = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap();
        store.write(&checkpoint(7)).unwrap();
        drop(store);
        for (other, why) in [(scope("/b", true), "key /a"), (scope("/a", false), "-r")] {
            let error = CheckpointFile::open(&path, &[other]).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_checkpoint_decides_the_api() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let of_v3 = |key| Scope::new(key, true);
        let both = [scope("/a", true), of_v3(Key::literal("/a").unwrap())];
        let (store, _) = CheckpointFile::open(&path, &both).unwrap();
        let last = checkpoint(7).last;
        let written = Checkpoint::new(&both[1], "c".to_owned(), Index(7), last);
        store.write(&written).unwrap();
        drop(store);
        let (store, earlier) = CheckpointFile::open(&path, &both).unwrap();
        assert_eq!(earlier, Some((written, 1)));
        drop(store);
        for (other, why) in [
            (scope("/a", true), "v3 API"),
            (of_v3(Key::prefix("/a")), "--prefix"),
        ] {
            let error = CheckpointFile::open(&path, &[other]).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn an_invalid_checkpoint_is_refused_and_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        for text in ["my notes", "{}", "", r#"{"index":1}"#] {
            fs::write(&path, text).unwrap();
            let error = CheckpointFile::open(&path, &[scope("/a", true)]).unwrap_err();
            assert!(error.to_string().contains("not a checkpoint"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
