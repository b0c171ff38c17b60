//! Warnings about the options of a run, printed before it starts.

/// A notice about an option that is unsafe, or less safe than it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The `kind` of the JSON notice, which scripts rely on.
    pub kind: &'static str,
    /// The message.
    pub text: String,
    /// Whether it is printed even with `--quiet`.
    pub always: bool,
}

impl Warning {
    /// A password is on the command line.
    #[must_use]
    pub fn password_in_arguments() -> Self {
        let text = "other users of this machine can see a password on the command line: leave it \
                    out to be asked for it, or use --password-file or ETCDCTL_PASSWORD";
        Self {
            kind: "passwordInArguments",
            text: text.to_owned(),
            always: false,
        }
    }

    /// `--insecure-skip-tls-verify` is on.
    #[must_use]
    pub fn unverified() -> Self {
        let text =
            "the server's certificate is not verified, which allows man-in-the-middle attacks";
        Self {
            kind: "unverified",
            text: text.to_owned(),
            always: true,
        }
    }

    /// Requests to `url` are not encrypted, although TLS options or a user were given.
    #[must_use]
    pub fn unencrypted(url: &str, has_user: bool) -> Self {
        Self {
            kind: "unencrypted",
            text: format!("{url} is not encrypted: write https:// if the server uses TLS"),
            // An attacker who blocks the TLS endpoints would get the password.
            always: has_user,
        }
    }
}
