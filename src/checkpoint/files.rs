//! The files of a checkpoint, in a directory that other users may write to.
//!
//! In scope: which symbolic links are followed, which files are trusted, and how one is replaced, so that no
//! other user decides which file is written and where a watch resumes. Out of scope: the contents
//! (`super`).
//!
//! A user who can write to the directory can still delete the file, and the next run then starts from the
//! beginning. Only the mode of the directory prevents that. It is not checked, because volumes of
//! containers are usually writable for more users.

use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

/// The largest checkpoint, in bytes. It has the watched keys, and a key of etcd has a few MB at most.
pub const MAX_SIZE: usize = 64 << 20;
/// The number of symbolic links that are followed, as by Linux.
const MAX_LINKS: usize = 40;
/// Files of root are trusted, because root can write to every file.
const ROOT: u32 = 0;
/// The mode bit that lets every user write.
const WORLD_WRITABLE: u32 = 0o002;

/// Why a checkpoint file cannot be used.
#[derive(Debug)]
pub enum FileRefusal {
    /// It is not a regular file, not trusted, or in use; the text says which.
    Unfit(String),
    /// It could not be read.
    Unread(io::Error),
    /// It, its lock or its temporary file could not be written.
    Unwritten(io::Error),
}

/// Follows the symbolic links of a path to the file, which need not exist. Two names of a file are thus one
/// checkpoint, and replacing the file does not replace a link.
///
/// Only links of this user and of root are followed, in any directory, because the owner of a link decides
/// which file is written. The kernel has the same rule for directories like `/tmp`
/// (`protected_symlinks`), but does not follow the links here.
///
/// # Errors
/// If a link belongs to another user, or the links form a circle.
pub fn follow_links(path: &Path) -> Result<PathBuf, FileRefusal> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        // The link is opened, so that its owner and its target are those of the same link.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(link) = rustix::fs::open(&path, flags, Mode::empty()).map(File::from) else {
            // It does not exist, or opening it will report the error.
            return Ok(path);
        };
        let metadata = link.metadata().map_err(FileRefusal::Unread)?;
        if !metadata.is_symlink() {
            return Ok(path);
        }
        let owner = metadata.uid();
        if ![own_uid(), ROOT].contains(&owner) {
            return Err(FileRefusal::Unfit(format!(
                "'{}' is a symbolic link of another user (uid {owner}); use the path of the file \
                 itself",
                path.display()
            )));
        }
        let target = rustix::fs::readlinkat(&link, "", Vec::new())
            .map_err(|error| FileRefusal::Unread(error.into()))?;
        // An absolute target takes the place of all before it.
        let target = OsString::from_vec(target.into_bytes());
        path = path.with_file_name("").join(target);
    }
    Err(FileRefusal::Unfit("too many symbolic links".to_owned()))
}

/// Locks a checkpoint against other runs, and reads it if it exists.
///
/// # Errors
/// If another run uses it, it is not trusted, or it cannot be read or written.
pub fn lock_and_read(path: &Path) -> Result<(File, Option<Vec<u8>>), FileRefusal> {
    // No lock is created beside a file that cannot be a checkpoint.
    if_exists(open(path, OFlags::RDONLY, FileRefusal::Unread))?;
    let lock = lock(path)?;
    let own = Temporary::beside(path).and_then(|made| made.file.metadata());
    let own = Ownership::of(&own.map_err(FileRefusal::Unwritten)?);
    let check_trust = |file: &File, path: &Path| {
        let metadata = file.metadata().map_err(FileRefusal::Unread)?;
        let refuse = |why| FileRefusal::Unfit(format!("'{}' {why}", path.display()));
        let distrust = Ownership::of(&metadata).distrust(own);
        distrust.map_or(Ok(()), |why| Err(refuse(why)))
    };
    check_trust(&lock, &beside(path, "lock"))?;
    let Some(file) = if_exists(open(path, OFlags::RDONLY, FileRefusal::Unread))? else {
        return Ok((lock, None));
    };
    check_trust(&file, path)?;
    let mut text = Vec::new();
    file.take(MAX_SIZE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(FileRefusal::Unread)?;
    if text.len() > MAX_SIZE {
        let why = format!("it is longer than {MAX_SIZE} bytes, the limit of a checkpoint");
        return Err(FileRefusal::Unfit(why));
    }
    Ok((lock, Some(text)))
}

/// Replaces the file atomically: a run that is killed leaves the old file or the new one.
///
/// # Errors
/// If the new file cannot be written or synced to the disk. It is removed then.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if text.len() > MAX_SIZE {
        let why = format!("it would be longer than {MAX_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let mut new = Temporary::beside(path)?;
    new.file.write_all(text)?;
    new.file.sync_all()?;
    fs::rename(&new.path, path)?;
    // Without this, the name may lead to the old file again after a power failure.
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// A new file with the temporary name. It is removed on drop, unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn beside(checkpoint: &Path) -> io::Result<Self> {
        let path = beside(checkpoint, "new");
        // A killed run may have left one. It is removed, because it may be a link.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(with_path(&path, &error));
            }
            _ => {}
        }
        let mut create = OpenOptions::new();
        create.write(true).create_new(true).mode(0o600);
        match create.open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) => Err(with_path(&path, &error)),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // If this fails, the next run removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// The owner and the mode of a file, which decide who can have written it.
#[derive(Clone, Copy, Debug)]
struct Ownership {
    owner: u32,
    mode: u32,
}

impl Ownership {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.mode(),
        }
    }

    /// Why the file is not trusted; `None` if it is. `own` are those of a file that was just created, because
    /// some file systems show every file with one owner, or as writable for everyone.
    ///
    /// The permissions of the group do not count, because Kubernetes lets the group of a volume
    /// (`fsGroup`) write to every file in it.
    fn distrust(self, own: Self) -> Option<String> {
        if self.owner != own.owner && self.owner != ROOT {
            return Some(format!(
                "belongs to another user (uid {}), who could make a watch skip events; run as that \
                 user, or take ownership with chown",
                self.owner
            ));
        }
        let anyone_writes = |mode| mode & WORLD_WRITABLE != 0;
        (anyone_writes(self.mode) && !anyone_writes(own.mode)).then(|| {
            "is writable for everyone, who could make a watch skip events; check it, then use \
             chmod o-w"
                .to_owned()
        })
    }
}

/// Opens a regular file. Does not follow a link, and does not block on a FIFO.
fn open(
    path: &Path,
    flags: OFlags,
    failed: impl FnOnce(io::Error) -> FileRefusal,
) -> Result<File, FileRefusal> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let opened = retry_on_intr(|| rustix::fs::open(path, flags, mode)).map(File::from);
    let metadata = match &opened {
        Ok(file) => file.metadata(),
        // The type of the file explains the failure better than the error does.
        Err(_) => fs::symlink_metadata(path),
    };
    match (opened, metadata) {
        (_, Ok(metadata)) if !metadata.is_file() => Err(FileRefusal::Unfit(format!(
            "'{}' is {}, not a regular file",
            path.display(),
            kind(metadata.file_type())
        ))),
        (Ok(file), Ok(_)) => Ok(file),
        (Err(error), Ok(metadata)) if metadata.uid() != own_uid() => {
            let error = io::Error::from(error);
            let why = format!("{error}; it belongs to uid {}", metadata.uid());
            Err(failed(io::Error::new(error.kind(), why)))
        }
        (Err(error), _) => Err(failed(error.into())),
        (Ok(_), Err(error)) => Err(failed(error)),
    }
}

/// Turns the error for a missing file into `None`.
fn if_exists(opened: Result<File, FileRefusal>) -> Result<Option<File>, FileRefusal> {
    match opened {
        Err(FileRefusal::Unread(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn lock(checkpoint: &Path) -> Result<File, FileRefusal> {
    let path = beside(checkpoint, "lock");
    let failed = |error| FileRefusal::Unwritten(with_path(&path, &error));
    // NFS locks only files that are open for writing.
    let lock = open(&path, OFlags::RDWR | OFlags::CREATE, failed)?;
    let metadata = lock.metadata().map_err(failed)?;
    if metadata.nlink() > 1 {
        return Err(FileRefusal::Unfit(format!(
            "'{}' is a hard link to another file; remove it",
            path.display()
        )));
    }
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let mut why = "another run uses it".to_owned();
            if metadata.uid() != own_uid() {
                why = format!(
                    "{why}; '{}' belongs to uid {}",
                    path.display(),
                    metadata.uid()
                );
            }
            Err(FileRefusal::Unfit(why))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The effective user id of this process.
fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The path of a file beside the checkpoint. A rename is atomic only within one file system.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Adds the path to the message of an error.
fn with_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("'{}': {error}", path.display()))
}

fn kind(is: FileType) -> &'static str {
    if is.is_symlink() {
        "a symbolic link"
    } else if is.is_dir() {
        "a directory"
    } else if is.is_fifo() {
        "a FIFO"
    } else if is.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ownership = Ownership {
        owner: 1000,
        mode: 0o600,
    };

    #[test]
    fn a_file_of_the_user_or_of_root_is_trusted_unless_everyone_can_write_it() {
        for (owner, mode) in [(1000, 0o600), (1000, 0o644), (1000, 0o660), (0, 0o600)] {
            assert_eq!(
                Ownership { owner, mode }.distrust(OWN),
                None,
                "{owner} {mode:o}"
            );
        }
        for (owner, mode, why) in [
            (1001, 0o600, "uid 1001"),
            (1001, 0o666, "uid 1001"),
            (1000, 0o602, "everyone"),
            (0, 0o666, "everyone"),
        ] {
            let reason = Ownership { owner, mode }.distrust(OWN).unwrap();
            assert!(reason.contains(why), "{owner} {mode:o}: {reason}");
        }
    }

    #[test]
    fn a_file_is_trusted_if_it_has_the_owner_and_mode_of_a_new_file() {
        // NFS maps root to another user, and some shares give every file the same owner and mode.
        let squashed = Ownership {
            owner: 65534,
            mode: 0o777,
        };
        assert_eq!(squashed.distrust(squashed), None);
        let other = Ownership {
            owner: 1000,
            ..squashed
        };
        assert!(other.distrust(squashed).is_some());
    }

    #[test]
    fn a_checkpoint_larger_than_the_limit_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        replace(&path, b"old").unwrap();
        let error = replace(&path, &vec![b'x'; MAX_SIZE + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let names = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names, 1);
    }
}
