//! What holds for this run: what was typed, the environment and the terminal, resolved.
//!
//! In scope: precedence (flags win over the environment), defaults, and refusing what can't be
//! done. Out of scope: what the commands do with it.

use std::ffi::OsString;
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::time::Duration;

use base64::Engine as _;

use crate::cli::{self, Api, Cli, Command};
use crate::error::Error;

/// Every variable that counts.
const VARIABLES: [&str; 17] = [
    "ETCDCTL_ENDPOINTS",
    "ETCDCTL_ENDPOINT",
    "ETCDCTL_PEERS",
    "ETCDCTL_API",
    "ETCDCTL_DIAL_TIMEOUT",
    "ETCDCTL_COMMAND_TIMEOUT",
    "ETCDCTL_USER",
    "ETCDCTL_USERNAME",
    "ETCDCTL_PASSWORD",
    "ETCDCTL_CACERT",
    "ETCDCTL_CERT",
    "ETCDCTL_KEY",
    "ETCDCTL_CA_FILE",
    "ETCDCTL_CERT_FILE",
    "ETCDCTL_KEY_FILE",
    "NO_COLOR",
    "TERM",
];

/// The port of etcd's client API.
const DEFAULT_PORT: u16 = 2379;

/// What holds for every command.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and no two make a state"
)]
pub struct Settings {
    /// Where the cluster is; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Which API is used.
    pub api: Api,
    /// How records are printed.
    pub output: cli::Output,
    /// Whether colours are used.
    pub color: bool,
    /// No notices and no spinner.
    pub quiet: bool,
    /// Requests are shown.
    pub verbose: bool,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the whole command may take.
    pub timeout: Option<Duration>,
    /// The value of the `Authorization` header.
    pub authorization: Option<Authorization>,
    /// The URL of an HTTP proxy.
    pub proxy: Option<String>,
    /// The largest event or reply, in bytes.
    pub max_event: usize,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a pipe: whoever reads it may write to the same terminal.
    pub stdout_is_pipe: bool,
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

    /// Reads an endpoint as typed: without a scheme it is `http://`, without a port 2379.
    ///
    /// # Errors
    /// Where it has a path, a user, another scheme, or is no address at all.
    pub fn parse(typed: &str) -> Result<Self, Error> {
        let shown = without_password(typed);
        let refused = |why: &str| Err(Error::Usage(format!("endpoint '{shown}': {why}")));
        let (scheme, rest) = typed
            .trim()
            .split_once("://")
            .unwrap_or(("http", typed.trim()));
        match scheme {
            "http" => {}
            "https" => return refused("https is not supported in this version"),
            _ => return refused("the scheme must be http"),
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return refused(
                "an endpoint has no path: give the client URL alone, as in http://host:2379",
            );
        }
        if authority.contains('@') {
            return refused("an endpoint names no user: use --user");
        }
        let Ok(parsed) = authority.parse::<ureq::http::uri::Authority>() else {
            return refused("it is no address: write host:port");
        };
        if parsed.host().is_empty() {
            return refused("it names no host");
        }
        let port = match authority.get(parsed.host().len()..) {
            Some("") | None => DEFAULT_PORT,
            Some(_) => match parsed.port_u16() {
                Some(port) if port > 0 => port,
                _ => return refused("the port must be a number from 1 to 65535"),
            },
        };
        Ok(Self(format!("http://{}:{port}", parsed.host())))
    }
}

/// An URL as it may be shown: without the user and the password that it may carry.
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

/// Credentials, shown nowhere.
#[derive(Clone)]
pub struct Authorization {
    /// The user's name.
    pub user: String,
    header: String,
}

impl Authorization {
    /// HTTP basic authentication, as v2 takes it.
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Self {
            user: user.to_owned(),
            header: format!("Basic {pair}"),
        }
    }

    /// The header's value.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authorization({})", self.user)
    }
}

/// The surroundings of the process, as far as they count.
#[derive(Clone, Copy)]
pub struct Surroundings<'e> {
    /// Looks a variable up.
    pub variable: &'e dyn Fn(&str) -> Option<OsString>,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a pipe: whoever reads it may write to the same terminal.
    pub stdout_is_pipe: bool,
}

fn is_pipe(stream: &impl AsFd) -> bool {
    let copy = stream.as_fd().try_clone_to_owned();
    let metadata = copy.and_then(|copy| File::from(copy).metadata());
    metadata.is_ok_and(|metadata| metadata.file_type().is_fifo())
}

impl Surroundings<'_> {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Surroundings {
            variable: &|name| std::env::var_os(name),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_is_pipe: is_pipe(&std::io::stdout()),
        }
    }

    /// A variable that is set and not empty.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.is_empty())
    }

    /// The endpoints that are named, in etcdctl's order.
    fn endpoints(&self) -> String {
        ["ETCDCTL_ENDPOINTS", "ETCDCTL_ENDPOINT", "ETCDCTL_PEERS"]
            .into_iter()
            .find_map(|name| self.get(name))
            .unwrap_or_default()
    }

    /// Refuses a variable that can't be read, rather than to go on without it.
    fn check(&self) -> Result<(), Error> {
        for name in VARIABLES {
            if (self.variable)(name).is_some_and(|value| value.into_string().is_err()) {
                return Err(Error::Usage(format!("{name} is not UTF-8")));
            }
        }
        Ok(())
    }

    /// Whether colours are used.
    #[must_use]
    pub fn color(&self, when: cli::Color, is_terminal: bool) -> bool {
        match when {
            cli::Color::Always => true,
            cli::Color::Never => false,
            cli::Color::Auto => {
                is_terminal
                    && self.get("NO_COLOR").is_none()
                    && self.get("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

impl Settings {
    /// Resolves what was typed.
    ///
    /// # Errors
    /// Where something can't be used, or is not supported in this version.
    pub fn resolve(cli: &Cli, around: Surroundings<'_>) -> Result<Self, Error> {
        let global = &cli.global;
        around.check()?;
        refuse_what_is_to_come(cli, around)?;
        let is_request = match &cli.command {
            Command::Get(_) | Command::Set(_) | Command::Rm(_) => true,
            Command::Check(typed) => !typed.wait && !typed.watch,
            _ => false,
        };
        let timeout = match (global.timeout, is_request) {
            (Some(timeout), _) => Some(timeout),
            (None, true) => {
                Some(duration(around, "ETCDCTL_COMMAND_TIMEOUT")?.unwrap_or(Duration::from_secs(5)))
            }
            (None, false) => None,
        };
        let connect_timeout = match global.connect_timeout {
            Some(timeout) => timeout,
            None => duration(around, "ETCDCTL_DIAL_TIMEOUT")?.unwrap_or(Duration::from_secs(2)),
        };
        Ok(Self {
            endpoints: endpoints(&global.endpoints, around)?,
            api: api(cli, around)?,
            output: global.output,
            color: around.color(global.color, around.stdout_is_terminal),
            quiet: global.quiet,
            verbose: global.verbose,
            connect_timeout,
            timeout,
            authorization: authorization(global.user.as_deref(), around)?,
            proxy: global.proxy.clone(),
            max_event: global.max_event,
            stdout_is_terminal: around.stdout_is_terminal,
            stderr_is_terminal: around.stderr_is_terminal,
            stdout_is_pipe: around.stdout_is_pipe,
        })
    }
}

fn endpoints(typed: &[String], around: Surroundings<'_>) -> Result<Vec<Endpoint>, Error> {
    let from_environment = around.endpoints();
    let listed: Vec<&str> = if typed.is_empty() {
        from_environment.split(',').collect()
    } else {
        typed.iter().map(String::as_str).collect()
    };
    let mut endpoints = Vec::new();
    for one in listed.into_iter().filter(|one| !one.trim().is_empty()) {
        let endpoint = Endpoint::parse(one)?;
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    if endpoints.is_empty() {
        if !typed.is_empty() {
            return Err(Error::Usage("--endpoints names no endpoint".to_owned()));
        }
        endpoints.push(Endpoint::parse("127.0.0.1")?);
    }
    Ok(endpoints)
}

fn duration(around: Surroundings<'_>, name: &str) -> Result<Option<Duration>, Error> {
    around
        .get(name)
        .map(|text| {
            cli::duration(&text).map_err(|error| Error::Usage(format!("{name}='{text}': {error}")))
        })
        .transpose()
}

fn authorization(
    typed: Option<&str>,
    around: Surroundings<'_>,
) -> Result<Option<Authorization>, Error> {
    let user = typed
        .map(str::to_owned)
        .or_else(|| around.get("ETCDCTL_USER"))
        .or_else(|| around.get("ETCDCTL_USERNAME"));
    let Some(user) = user else { return Ok(None) };
    if user.is_empty() || user.starts_with(':') {
        return Err(Error::Usage("--user names no user".to_owned()));
    }
    if let Some((name, password)) = user.split_once(':') {
        return Ok(Some(Authorization::basic(name, password)));
    }
    match around.get("ETCDCTL_PASSWORD") {
        Some(password) => Ok(Some(Authorization::basic(&user, &password))),
        None => Err(Error::Usage(format!(
            "no password for user '{user}': this version does not prompt; give --user \
             NAME:PASSWORD or ETCDCTL_PASSWORD"
        ))),
    }
}

/// Which API is asked for.
fn api(cli: &Cli, around: Surroundings<'_>) -> Result<Api, Error> {
    match (cli.global.api, around.get("ETCDCTL_API").as_deref()) {
        (Some(api), _) => Ok(api),
        (None, None | Some("auto")) => Ok(Api::Auto),
        (None, Some("2" | "v2")) => Ok(Api::V2),
        (None, Some("3" | "v3")) => Ok(Api::V3),
        (None, Some(other)) => Err(Error::Usage(format!("ETCDCTL_API='{other}': it is 2 or 3"))),
    }
}

/// Refuses, rather than ignores, what this version can't do.
fn refuse_what_is_to_come(cli: &Cli, around: Surroundings<'_>) -> Result<(), Error> {
    let global = &cli.global;
    let refuse = |what: &str| {
        Err(Error::Usage(format!(
            "{what} is not supported in this version"
        )))
    };
    for (option, given) in [
        ("--cacert", global.cacert.is_some()),
        ("--cert", global.cert.is_some()),
        ("--key", global.client_key.is_some()),
        (
            "--insecure-skip-tls-verify",
            global.insecure_skip_tls_verify,
        ),
        ("--password-file", global.password_file.is_some()),
    ] {
        if given {
            return refuse(option);
        }
    }
    // TLS files in the environment are of no account where every endpoint says http://.
    let variable = around.endpoints();
    let listed: Vec<&str> = if global.endpoints.is_empty() {
        variable.split(',').collect()
    } else {
        global.endpoints.iter().map(String::as_str).collect()
    };
    if !listed.iter().all(|one| one.trim().starts_with("http://")) {
        for name in [
            "ETCDCTL_CACERT",
            "ETCDCTL_CERT",
            "ETCDCTL_KEY",
            "ETCDCTL_CA_FILE",
            "ETCDCTL_CERT_FILE",
            "ETCDCTL_KEY_FILE",
        ] {
            if around.get(name).is_some() {
                return refuse(&format!("TLS ({name} is set)"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn resolve(args: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let cli = Cli::try_parse_from([&["etcdwatch"], args].concat()).unwrap();
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        let around = Surroundings {
            variable: &variable,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            stdout_is_pipe: false,
        };
        Settings::resolve(&cli, around)
    }

    fn urls(settings: &Settings) -> Vec<&str> {
        settings.endpoints.iter().map(Endpoint::url).collect()
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_default() {
        let variables = [("ETCDCTL_ENDPOINTS", "http://b:1,c:2")];
        let flag = resolve(&["get", "/a", "--endpoints", "d:3"], &variables).unwrap();
        assert_eq!(urls(&flag), ["http://d:3"]);
        let variable = resolve(&["get", "/a"], &variables).unwrap();
        assert_eq!(urls(&variable), ["http://b:1", "http://c:2"]);
        let default = resolve(&["get", "/a"], &[]).unwrap();
        assert_eq!(urls(&default), ["http://127.0.0.1:2379"]);
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let variables = [
            ("ETCDCTL_ENDPOINTS", ""),
            ("ETCDCTL_API", ""),
            ("NO_COLOR", ""),
        ];
        let settings = resolve(&["get", "/a"], &variables).unwrap();
        assert_eq!(urls(&settings), ["http://127.0.0.1:2379"]);
        assert!(settings.color);
    }

    #[test]
    fn endpoints_are_addresses_and_nothing_more() {
        for (typed, url) in [
            ("host", "http://host:2379"),
            ("http://host:80/", "http://host:80"),
            ("[::1]:2379", "http://[::1]:2379"),
            ("[::1]", "http://[::1]:2379"),
            (" host:1 ", "http://host:1"),
        ] {
            assert_eq!(Endpoint::parse(typed).unwrap().url(), url, "{typed}");
        }
        for bad in [
            "http://host:2379/v2",
            "http://user:secret@host",
            "ftp://host",
            "host:0",
            "host:99999",
            "host:",
            "ho st",
            "",
            "http://",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_timeout_is_for_requests_only() {
        let variables = [("ETCDCTL_COMMAND_TIMEOUT", "9s")];
        let timeout = |args: &[&str]| resolve(args, &variables).unwrap().timeout;
        assert_eq!(timeout(&["get", "/a"]), Some(Duration::from_secs(9)));
        assert_eq!(timeout(&["watch", "/a"]), None);
        assert_eq!(timeout(&["check", "f", "/a"]), Some(Duration::from_secs(9)));
        assert_eq!(timeout(&["check", "f", "/a", "--wait"]), None);
        assert_eq!(
            timeout(&["watch", "/a", "--timeout", "1s"]),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_user_is_taken_from_wherever_etcdctl_takes_it() {
        let user = |variables: &[(&str, &str)]| {
            let settings = resolve(&["get", "/a"], variables).unwrap();
            settings.authorization.unwrap().header
        };
        let expected = "Basic cm9vdDpwdw==";
        assert_eq!(user(&[("ETCDCTL_USER", "root:pw")]), expected);
        assert_eq!(
            user(&[("ETCDCTL_USERNAME", "root"), ("ETCDCTL_PASSWORD", "pw")]),
            expected
        );
        assert!(resolve(&["get", "/a", "--user", "root"], &[]).is_err());
    }

    #[test]
    fn credentials_are_not_shown() {
        let shown = format!("{:?}", Authorization::basic("root", "secret"));
        assert_eq!(shown, "Authorization(root)");
    }

    #[test]
    fn what_is_not_supported_yet_is_refused() {
        for args in [
            &["get", "/a", "--cacert", "f"][..],
            &["get", "/a", "--cert", "f"],
            &["get", "/a", "--key", "f"],
            &["get", "/a", "--insecure-skip-tls-verify"],
            &["get", "/a", "--password-file", "f"],
            &["get", "/a", "--endpoints", "https://h"],
        ] {
            let error = resolve(args, &[]).unwrap_err();
            assert!(error.to_string().contains("not supported"), "{error}");
        }
        assert!(resolve(&["watch", "/a"], &[("ETCDCTL_API", "4")]).is_err());
        assert!(resolve(&["get", "/a"], &[("ETCDCTL_CACERT", "f")]).is_err());
        assert!(resolve(&["get", "/a", "--api", "v2"], &[("ETCDCTL_API", "3")]).is_ok());
    }

    #[test]
    fn colours_are_for_terminals_unless_told_otherwise() {
        let colour =
            |args: &[&str], variables: &[(&str, &str)]| resolve(args, variables).unwrap().color;
        assert!(colour(&["get", "/a"], &[]));
        assert!(!colour(&["get", "/a"], &[("NO_COLOR", "1")]));
        assert!(!colour(&["get", "/a"], &[("TERM", "dumb")]));
        assert!(colour(
            &["get", "/a", "--color", "always"],
            &[("NO_COLOR", "1")]
        ));
        assert!(!colour(&["get", "/a", "--color", "never"], &[]));
    }
}
