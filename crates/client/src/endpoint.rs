//! Endpoints, as the user types them.

use crate::error::Unusable;

/// The port of etcd's client API.
const DEFAULT_PORT: u16 = 2379;

/// The scheme of an endpoint's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// The URL, without a trailing `/`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    /// Whether the endpoint uses TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Parses an endpoint. The default scheme is `scheme`, and the default port is 2379.
    ///
    /// # Errors
    /// If it has a path, a user or another scheme, or is not an address.
    pub fn parse(typed: &str, scheme: Scheme) -> Result<Self, Unusable> {
        let shown = without_password(typed);
        let refused = |why: &str| Err(Unusable(format!("endpoint '{shown}': {why}")));
        let (scheme, rest) = typed
            .trim()
            .split_once("://")
            .unwrap_or((scheme.name(), typed.trim()));
        if ![Scheme::Http, Scheme::Https]
            .map(Scheme::name)
            .contains(&scheme)
        {
            return refused("the scheme must be http or https");
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return refused(
                "an endpoint has no path; write only the client URL, as in http://host:2379",
            );
        }
        if authority.contains('@') {
            return refused("an endpoint has no user; use --user");
        }
        let Ok(parsed) = authority.parse::<ureq::http::uri::Authority>() else {
            return refused("not an address; write host:port");
        };
        if parsed.host().is_empty() {
            return refused("the host is missing");
        }
        if parsed
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .contains(['[', ']'])
        {
            return refused("not an address; write host:port");
        }
        let port = match authority.get(parsed.host().len()..) {
            Some("") | None => DEFAULT_PORT,
            Some(_) => match parsed.port_u16() {
                Some(port) if port > 0 => port,
                _ => return refused("the port must be a number from 1 to 65535"),
            },
        };
        Ok(Self(format!("{scheme}://{}:{port}", parsed.host())))
    }
}

/// A URL without its user and password, for messages.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((user, rest)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    match user.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://USER:PASSWORD@{rest}"),
        None => format!("USER:PASSWORD@{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_addresses_and_nothing_more() {
        for (typed, url) in [
            ("host", "http://host:2379"),
            ("http://host:80/", "http://host:80"),
            ("https://host", "https://host:2379"),
            ("[::1]:2379", "http://[::1]:2379"),
            ("[::1]", "http://[::1]:2379"),
            (" host:1 ", "http://host:1"),
        ] {
            let parsed = Endpoint::parse(typed, Scheme::Http).unwrap();
            assert_eq!(parsed.url(), url, "{typed}");
        }
        let encrypted = Endpoint::parse("host", Scheme::Https).unwrap();
        assert_eq!(encrypted.url(), "https://host:2379");
        assert!(encrypted.is_encrypted());
        for bad in [
            "http://host:2379/v2",
            "http://user:secret@host",
            "ftp://host",
            "HTTPS//host",
            "host:0",
            "host:99999",
            "host:",
            "ho st",
            "ho[st",
            "host[",
            "[::1",
            "::1]:2",
            "",
            "http://",
        ] {
            assert!(Endpoint::parse(bad, Scheme::Http).is_err(), "{bad}");
        }
    }
}
