//! Who one is: a user, and the password from wherever it may come.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use base64::Engine as _;

use super::Surroundings;
use super::warning::Warning;
use crate::cli::Global;
use crate::error::Error;

/// A password is never longer.
const MAX_PASSWORD: u64 = 4096;

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the request that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A user with a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// The value of the header by which v2 knows the user: HTTP basic authentication.
    #[must_use]
    pub fn basic(&self) -> Secret {
        let pair = format!("{}:{}", self.user, self.password.reveal());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        Secret(format!("Basic {pair}"))
    }
}

/// Who is named, and what there is to say of how.
///
/// # Errors
/// Where a password is missing, or its file is no good.
pub(super) fn find(
    global: &Global,
    around: Surroundings<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Credentials>, Error> {
    let typed = global.user.clone();
    let is_typed = typed.is_some();
    let user = typed.or_else(|| Some(around.first(&["ETCDCTL_USER", "ETCDCTL_USERNAME"])?.1));
    let file = global.password_file.as_deref();
    let Some(user) = user else {
        return match file {
            Some(_) => Err(Error::Usage(
                "--password-file names no user: add --user NAME".to_owned(),
            )),
            None => Ok(None),
        };
    };
    let (user, password) = match user.split_once(':') {
        Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
        None => (user, None),
    };
    if user.is_empty() {
        return Err(Error::Usage("--user names no user".to_owned()));
    }
    let password = match (password, file) {
        (Some(_), Some(_)) if is_typed => {
            let why = "--user and --password-file both have a password: leave one out";
            return Err(Error::Usage(why.to_owned()));
        }
        (_, Some(file)) => read_password(file)?,
        (Some(password), None) => {
            if is_typed {
                warnings.push(Warning::password_in_arguments());
            }
            password
        }
        (None, None) => match around.get("ETCDCTL_PASSWORD") {
            Some(password) => password,
            None => (around.ask)(&user)?,
        },
    };
    let password = Secret(password);
    Ok(Some(Credentials { user, password }))
}

/// The password in a file, less the end of its line.
fn read_password(path: &Path) -> Result<String, Error> {
    let refused = |why: &str| {
        let shown = path.display();
        Error::Usage(format!("--password-file '{shown}': {why}"))
    };
    let read = |error: std::io::Error| refused(&error.to_string());
    if fs::metadata(path).is_ok_and(|metadata| is_named_fifo(&metadata, path)) {
        return Err(refused("it is a FIFO"));
    }
    let file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    if metadata.is_dir() {
        return Err(refused("it is a directory"));
    }
    if let Some(who) = who_else_reads(metadata.uid(), metadata.mode()) {
        return Err(refused(&format!(
            "{who} can read it: make its mode 0600, or 0440 where root mounts it"
        )));
    }
    let mut text = Vec::new();
    file.take(MAX_PASSWORD + 1)
        .read_to_end(&mut text)
        .map_err(read)?;
    if text.len() as u64 > MAX_PASSWORD {
        return Err(refused("it is too long for a password"));
    }
    let text = String::from_utf8(text).map_err(|_| refused("it is not UTF-8"))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(refused("it is empty"));
    }
    if password.contains('\n') {
        return Err(refused("it has more than one line"));
    }
    Ok(password.to_owned())
}

/// Whether it is a FIFO that whoever opens it may wait at for ever; the pipes that a shell makes of
/// `<(…)` are open already.
#[must_use]
pub fn is_named_fifo(metadata: &fs::Metadata, path: &Path) -> bool {
    let is_open = path.starts_with("/dev") || path.starts_with("/proc");
    metadata.file_type().is_fifo() && !is_open
}

/// Who but the owner may read a file of that owner and mode. What root lends to a group, as secrets
/// are mounted into containers, is meant for who is in it.
fn who_else_reads(owner: u32, mode: u32) -> Option<&'static str> {
    const BY_GROUP: u32 = 0o040;
    const BY_OTHERS: u32 = 0o004;
    if mode & BY_OTHERS != 0 {
        return Some("everybody");
    }
    (mode & BY_GROUP != 0 && owner != 0).then_some("its group")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn credentials(password: &str) -> Credentials {
        Credentials {
            user: "root".to_owned(),
            password: Secret::new(password.to_owned()),
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let shown = format!("{:?}", credentials("hunter2"));
        assert!(
            shown.contains("root") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert_eq!(format!("{:?}", credentials("hunter2").basic()), "Secret");
    }

    #[test]
    fn basic_authentication_is_as_http_has_it() {
        assert_eq!(credentials("pw").basic().reveal(), "Basic cm9vdDpwdw==");
    }

    #[test]
    fn a_password_is_the_only_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            read_password(&path).map_err(|error| error.to_string())
        };
        for text in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap(), "hunter2");
        }
        assert_eq!(read(b" p w \n").unwrap(), " p w ");
        for (text, why) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"a\nb\n", "more than one line"),
            (b"\xff", "not UTF-8"),
            (&[b'x'; 5000], "too long"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why) && error.contains("password"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        assert_eq!(who_else_reads(1000, 0o100_600), None);
        assert_eq!(who_else_reads(1000, 0o100_640), Some("its group"));
        assert_eq!(who_else_reads(0, 0o100_440), None);
        assert_eq!(who_else_reads(0, 0o100_444), Some("everybody"));
    }
}
