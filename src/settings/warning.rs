//! What a person is told of how the tool was called, before anything is done.

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A name for scripts: the `kind` of a JSON notice.
    pub kind: &'static str,
    /// What is told.
    pub text: String,
    /// Also where notices are not wanted.
    pub always: bool,
}

impl Warning {
    /// A password was typed.
    #[must_use]
    pub fn password_in_arguments() -> Self {
        let text = "a password on the command line can be seen by other users of this machine: \
                    leave it out and be asked, or use --password-file or ETCDCTL_PASSWORD";
        Self {
            kind: "passwordInArguments",
            text: text.to_owned(),
            always: false,
        }
    }

    /// Nobody's certificate is checked.
    #[must_use]
    pub fn unverified() -> Self {
        let text = "the server's certificate is not checked: whoever is in between can read and \
                    change everything";
        Self {
            kind: "unverified",
            text: text.to_owned(),
            always: true,
        }
    }

    /// What is meant to be sent by TLS may go to `url` in the clear.
    #[must_use]
    pub fn unencrypted(url: &str, has_user: bool) -> Self {
        Self {
            kind: "unencrypted",
            text: format!("{url} is not encrypted: write https:// where it speaks TLS"),
            // Whoever breaks the connections by TLS would be told the password.
            always: has_user,
        }
    }
}
