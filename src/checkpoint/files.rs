//! The files of a checkpoint, in a directory where others may have a hand.
//!
//! In scope: whose links are followed, which files are taken, and how one is replaced, so that
//! nobody else decides where is written and from where a watch goes on. Out of scope: what is in
//! them (`super`).
//!
//! Who can write to the directory can still take the file away, and a run without one begins anew.
//! Only the directory's rights help against that, and they are not asked for: those of a volume in a
//! container are wide as a rule.

use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

/// None is larger. A key of etcd's has a few MB at most.
pub const MAX_SIZE: usize = 64 << 20;
/// As many as Linux follows.
const MAX_LINKS: usize = 40;
/// Root can do anything to a file as it is.
const ROOT: u32 = 0;
/// Everyone may write.
const ANYONE_WRITES: u32 = 0o002;

/// Why a file is of no use.
#[derive(Debug)]
pub enum FileRefusal {
    /// What is there is not what it should be.
    Unfit(String),
    /// It can't be read.
    Unread(io::Error),
    /// It, or what is needed beside it, can't be written.
    Unwritten(io::Error),
}

/// The file that a path leads to, which need not exist: two names of it are one checkpoint, and a
/// link is not replaced.
///
/// The kernel follows nobody else's link in a directory like `/tmp` (`protected_symlinks`), but
/// here it is not the kernel that follows. Whose link it is decides where files are made, so only
/// our own and root's are followed, whatever the directory.
///
/// # Errors
/// Where a link is of another user, or leads in a circle.
pub fn follow_links(path: &Path) -> Result<PathBuf, FileRefusal> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        // What is looked at is what is read, though another may take its place meanwhile.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(link) = rustix::fs::open(&path, flags, Mode::empty()).map(File::from) else {
            // It isn't there, or opening it will tell.
            return Ok(path);
        };
        let metadata = link.metadata().map_err(FileRefusal::Unread)?;
        if !metadata.is_symlink() {
            return Ok(path);
        }
        let owner = metadata.uid();
        if ![us(), ROOT].contains(&owner) {
            return Err(FileRefusal::Unfit(format!(
                "'{}' is a symbolic link of another user (uid {owner}): name the file that it \
                 leads to",
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

/// Locks a checkpoint against other runs, and reads it where it exists.
///
/// # Errors
/// Where another run has it, it can't be trusted, or it can't be read or written.
pub fn take(path: &Path) -> Result<(File, Option<Vec<u8>>), FileRefusal> {
    // Nothing is made beside what can be no checkpoint.
    if_there(open(path, OFlags::RDONLY, FileRefusal::Unread))?;
    let lock = lock(path)?;
    let own = Temporary::beside(path).and_then(|made| made.file.metadata());
    let own = Looks::of(&own.map_err(FileRefusal::Unwritten)?);
    let trust = |file: &File, path: &Path| {
        let metadata = file.metadata().map_err(FileRefusal::Unread)?;
        let refuse = |why| FileRefusal::Unfit(format!("'{}' {why}", path.display()));
        let distrust = Looks::of(&metadata).distrust(own);
        distrust.map_or(Ok(()), |why| Err(refuse(why)))
    };
    trust(&lock, &beside(path, "lock"))?;
    let Some(file) = if_there(open(path, OFlags::RDONLY, FileRefusal::Unread))? else {
        return Ok((lock, None));
    };
    trust(&file, path)?;
    let mut text = Vec::new();
    file.take(MAX_SIZE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(FileRefusal::Unread)?;
    if text.len() > MAX_SIZE {
        let why = format!("it is longer than {MAX_SIZE} bytes, and no checkpoint is");
        return Err(FileRefusal::Unfit(why));
    }
    Ok((lock, Some(text)))
}

/// Replaces the file, whole or not at all: a run that is killed leaves the old one or the new one.
///
/// # Errors
/// Where it can't be written, or can't be known to be on the disk; nothing is left of it then.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if text.len() > MAX_SIZE {
        let why = format!("it would be longer than {MAX_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let mut new = Temporary::beside(path)?;
    new.file.write_all(text)?;
    new.file.sync_all()?;
    fs::rename(&new.path, path)?;
    // Until then the name may still lead to the old file after a loss of power.
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// A new file at the temporary name. Dropped, it is removed, unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn beside(checkpoint: &Path) -> io::Result<Self> {
        let path = beside(checkpoint, "new");
        // One that a killed run has left, or whatever else is there: nothing is written through it.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(of(&path, &error));
            }
            _ => {}
        }
        let mut create = OpenOptions::new();
        create.write(true).create_new(true).mode(0o600);
        match create.open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) => Err(of(&path, &error)),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Where it can't be removed, the next run does it.
        let _ = fs::remove_file(&self.path);
    }
}

/// What of a file tells who may have written it.
#[derive(Clone, Copy, Debug)]
struct Looks {
    owner: u32,
    mode: u32,
}

impl Looks {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.mode(),
        }
    }

    /// Why it is not trusted, where a file that was made just now looks like `own`: there are file
    /// systems that show everything as one user's, or as everyone's to write.
    ///
    /// What the group may do doesn't count: where Kubernetes gives a volume to a group
    /// (`fsGroup`), it lets the group write to every file in it.
    fn distrust(self, own: Self) -> Option<String> {
        if self.owner != own.owner && self.owner != ROOT {
            return Some(format!(
                "belongs to another user (uid {}), who could make a watch skip events: run as that \
                 user, or make it yours with chown",
                self.owner
            ));
        }
        let anyone_writes = |mode| mode & ANYONE_WRITES != 0;
        (anyone_writes(self.mode) && !anyone_writes(own.mode)).then(|| {
            "can be written by everyone, who could make a watch skip events: look at it, and take \
             that away with chmod o-w"
                .to_owned()
        })
    }
}

/// Opens a regular file and nothing else: no link is followed, and no FIFO waited for.
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
        // Why it can't be opened is seldom said as well as by what it is.
        Err(_) => fs::symlink_metadata(path),
    };
    match (opened, metadata) {
        (_, Ok(metadata)) if !metadata.is_file() => Err(FileRefusal::Unfit(format!(
            "'{}' is {}, and no regular file",
            path.display(),
            kind(metadata.file_type())
        ))),
        (Ok(file), Ok(_)) => Ok(file),
        (Err(error), Ok(metadata)) if metadata.uid() != us() => {
            let error = io::Error::from(error);
            let why = format!("{error}; it belongs to uid {}", metadata.uid());
            Err(failed(io::Error::new(error.kind(), why)))
        }
        (Err(error), _) => Err(failed(error.into())),
        (Ok(_), Err(error)) => Err(failed(error)),
    }
}

/// The file that was opened; none where it doesn't exist.
fn if_there(opened: Result<File, FileRefusal>) -> Result<Option<File>, FileRefusal> {
    match opened {
        Err(FileRefusal::Unread(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn lock(checkpoint: &Path) -> Result<File, FileRefusal> {
    let path = beside(checkpoint, "lock");
    let failed = |error| FileRefusal::Unwritten(of(&path, &error));
    // NFS locks only what may be written.
    let lock = open(&path, OFlags::RDWR | OFlags::CREATE, failed)?;
    let metadata = lock.metadata().map_err(failed)?;
    if metadata.nlink() > 1 {
        return Err(FileRefusal::Unfit(format!(
            "'{}' is another file too (a hard link), which is not locked for this: remove it",
            path.display()
        )));
    }
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let mut why = "another run has it".to_owned();
            if metadata.uid() != us() {
                why = format!("{why}: '{}' is of uid {}", path.display(), metadata.uid());
            }
            Err(FileRefusal::Unfit(why))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The user that we run as.
fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A file beside the checkpoint: the same directory, so that a rename is one step.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// An error with the file that it is about.
fn of(path: &Path, error: &io::Error) -> io::Error {
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

    const OWN: Looks = Looks {
        owner: 1000,
        mode: 0o600,
    };

    #[test]
    fn a_file_is_trusted_that_looks_like_one_that_we_made_or_is_of_root() {
        for (owner, mode) in [(1000, 0o600), (1000, 0o644), (1000, 0o660), (0, 0o600)] {
            assert_eq!(
                Looks { owner, mode }.distrust(OWN),
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
            let told = Looks { owner, mode }.distrust(OWN).unwrap();
            assert!(told.contains(why), "{owner} {mode:o}: {told}");
        }
    }

    #[test]
    fn where_all_files_look_like_one_users_or_everyones_so_may_ours() {
        // Root by NFS, and a share that knows no rights: what was written in the last run.
        let squashed = Looks {
            owner: 65534,
            mode: 0o777,
        };
        assert_eq!(squashed.distrust(squashed), None);
        let other = Looks {
            owner: 1000,
            ..squashed
        };
        assert!(other.distrust(squashed).is_some());
    }

    #[test]
    fn one_that_would_be_refused_by_the_next_run_is_not_written() {
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
