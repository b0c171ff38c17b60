//! The user and the password, from options, variables, a file or a prompt.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Surroundings;
use etcdwatch_client::config::is_named_fifo;
use etcdwatch_client::credentials::{Credentials, Secret};

use crate::cli::Global;
use crate::error::Error;
use crate::settings::Warning;

/// The longest password that is read from a file, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Finds the credentials; `None` if no user is given. Adds a warning if the password is on the command line.
///
/// # Errors
/// If the password is missing, or its file is refused.
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
            Some(_) => Err(Error::Usage("--password-file needs --user".to_owned())),
            None => Ok(None),
        };
    };
    let (user, password) = match user.split_once(':') {
        Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
        None => (user, None),
    };
    if user.is_empty() {
        return Err(Error::Usage("--user has an empty name".to_owned()));
    }
    let password = match (password, file) {
        (Some(_), Some(_)) if is_typed => {
            let why = "--user with a password cannot be used with --password-file";
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
    let password = Secret::new(password);
    Ok(Some(Credentials { user, password }))
}

/// Reads the password from a file with one line. Other users must not be able to read the file.
fn read_password(path: &Path) -> Result<String, Error> {
    let refused = |why: &str| {
        let shown = path.display();
        Error::Usage(format!("--password-file '{shown}': {why}"))
    };
    let read = |error: std::io::Error| refused(&error.to_string());
    if fs::metadata(path).is_ok_and(|metadata| is_named_fifo(&metadata, path)) {
        return Err(refused("the file is a FIFO"));
    }
    let file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    if metadata.is_dir() {
        return Err(refused("the file is a directory"));
    }
    if let Some(who) = who_else_reads(metadata.uid(), metadata.mode()) {
        return Err(refused(&format!(
            "{who} can read the file; set its mode to 0600, or to 0440 if it belongs to root"
        )));
    }
    let mut text = Vec::new();
    file.take(MAX_PASSWORD + 1)
        .read_to_end(&mut text)
        .map_err(read)?;
    if text.len() as u64 > MAX_PASSWORD {
        return Err(refused("the file is too long for a password"));
    }
    let text = String::from_utf8(text).map_err(|_| refused("the file is not UTF-8"))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(refused("the file is empty"));
    }
    if password.contains('\n') {
        return Err(refused("the file has more than one line"));
    }
    Ok(password.to_owned())
}

/// The other users who may read a file of this owner and mode. The group of a file of root may read it,
/// because containers mount secrets in this way.
fn who_else_reads(owner: u32, mode: u32) -> Option<&'static str> {
    const BY_GROUP: u32 = 0o040;
    const BY_OTHERS: u32 = 0o004;
    if mode & BY_OTHERS != 0 {
        return Some("everyone");
    }
    (mode & BY_GROUP != 0 && owner != 0).then_some("its group")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

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
        assert_eq!(who_else_reads(0, 0o100_444), Some("everyone"));
    }
}
