//! The user's credentials.

use std::fmt;

use base64::Engine as _;

/// A text that never appears in output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
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

/// A user and password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// The `Authorization` header of HTTP basic authentication, for the v2 API.
    #[must_use]
    pub fn basic(&self) -> Secret {
        let pair = format!("{}:{}", self.user, self.password.reveal());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        Secret(format!("Basic {pair}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn basic_authentication_encodes_user_and_password_in_base64() {
        assert_eq!(credentials("pw").basic().reveal(), "Basic cm9vdDpwdw==");
    }
}
