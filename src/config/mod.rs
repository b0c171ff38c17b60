//! Resolves the command line, the environment and the terminal to the settings of a run.
//!
//! In scope: precedence (flags win over the environment), defaults, and refusing invalid combinations. Out of
//! scope: what the commands do with the settings.

mod credentials;
pub mod prompt;
mod surroundings;
pub mod watching;

use std::path::PathBuf;
use std::time::Duration;

use etcdwatch_client::config::{Config, NamedFile, TlsConfig};
use etcdwatch_client::endpoint::{Endpoint, Scheme};

use crate::cli::{self, Cli, Command, Global};
use crate::error::Error;
use crate::settings::{ApiChoice, OutputFormat, Settings, Warning};

pub use self::surroundings::{Surroundings, VARIABLES};

/// The default of `--timeout` for a command that sends a request and ends.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

fn tls(global: &Global, around: Surroundings<'_>) -> Result<TlsConfig, Error> {
    let named = |by, typed: &Option<PathBuf>, variables: &[&'static str]| match typed {
        Some(path) => Some(NamedFile {
            by,
            path: path.clone(),
        }),
        None => around.first(variables).map(|(by, path)| NamedFile {
            by,
            path: path.into(),
        }),
    };
    let variable = "ETCDCTL_INSECURE_SKIP_TLS_VERIFY";
    let is_unverified = match around.get(variable).as_deref() {
        _ if global.insecure_skip_tls_verify => true,
        // The values that etcdctl accepts.
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
        Some(other) => {
            let why = format!("{variable}='{other}': the value must be true or false");
            return Err(Error::Usage(why));
        }
    };
    Ok(TlsConfig {
        authorities: named(
            "--cacert",
            &global.cacert,
            &["ETCDCTL_CACERT", "ETCDCTL_CA_FILE"],
        ),
        certificate: named(
            "--cert",
            &global.cert,
            &["ETCDCTL_CERT", "ETCDCTL_CERT_FILE"],
        ),
        key: named(
            "--key",
            &global.client_key,
            &["ETCDCTL_KEY", "ETCDCTL_KEY_FILE"],
        ),
        is_unverified,
    })
}

/// The scheme of an endpoint without one: https if there are TLS files.
fn scheme(tls: &TlsConfig) -> Scheme {
    if tls.files().next().is_some() {
        Scheme::Https
    } else {
        Scheme::Http
    }
}

/// Resolves the settings of a run.
///
/// # Errors
/// If an option or a variable is invalid, or a password is missing or its file is refused.
pub fn resolve(cli: &Cli, around: Surroundings<'_>) -> Result<Settings, Error> {
    let global = &cli.global;
    around.check()?;
    let tls = tls(global, around)?;
    let endpoints = endpoints(&global.endpoints, scheme(&tls), around)?;
    let timeout = match (global.timeout, &cli.command) {
        (Some(timeout), _) => Some(timeout),
        (None, Command::Get(_) | Command::Set(_) | Command::Rm(_)) => {
            Some(duration(around, "ETCDCTL_COMMAND_TIMEOUT")?.unwrap_or(REQUEST_TIMEOUT))
        }
        (None, Command::Check(typed)) if !typed.wait && !typed.watch => Some(REQUEST_TIMEOUT),
        (None, _) => None,
    };
    let connect_timeout = match global.connect_timeout {
        Some(timeout) => timeout,
        None => duration(around, "ETCDCTL_DIAL_TIMEOUT")?.unwrap_or(Duration::from_secs(2)),
    };
    let mut warnings = Vec::new();
    let credentials = credentials::find(global, around, &mut warnings)?;
    warn_of_connections(&endpoints, &tls, credentials.is_some(), &mut warnings);
    Ok(Settings {
        client: Config {
            endpoints,
            credentials,
            tls,
            proxy: global.proxy.clone(),
            connect_timeout,
            max_event: global.max_event,
        },
        api: api(cli, around)?,
        output: match global.output {
            cli::Output::Text => OutputFormat::Text,
            cli::Output::Json => OutputFormat::Json,
        },
        color: around.color(global.color, around.stdout_is_terminal),
        quiet: global.quiet,
        verbose: global.verbose > 0,
        trace: global.verbose > 1,
        timeout,
        stdout_is_terminal: around.stdout_is_terminal,
        stderr_is_terminal: around.stderr_is_terminal,
        stdout_is_pipe: around.stdout_is_pipe,
        warnings,
    })
}

/// Warns of connections that are less safe than the options suggest.
fn warn_of_connections(
    endpoints: &[Endpoint],
    tls: &TlsConfig,
    has_user: bool,
    warnings: &mut Vec<Warning>,
) {
    let has_encrypted = endpoints.iter().any(Endpoint::is_encrypted);
    if has_encrypted && tls.is_unverified {
        warnings.push(Warning::unverified());
    }
    // TLS files in the environment do not mean that this cluster uses TLS.
    let is_meant = tls.files().any(|file| file.by.starts_with("--"));
    if is_meant || (has_encrypted && has_user) {
        let plain = endpoints.iter().filter(|endpoint| !endpoint.is_encrypted());
        warnings.extend(plain.map(|endpoint| Warning::unencrypted(endpoint.url(), has_user)));
    }
}

/// The variables for `--endpoints`, in etcdctl's order of precedence.
const ENDPOINT_VARIABLES: [&str; 3] = ["ETCDCTL_ENDPOINTS", "ETCDCTL_ENDPOINT", "ETCDCTL_PEERS"];

fn endpoints(
    typed: &[String],
    scheme: Scheme,
    around: Surroundings<'_>,
) -> Result<Vec<Endpoint>, Error> {
    let from_environment = around.first(&ENDPOINT_VARIABLES);
    let from_environment = from_environment.map_or_else(String::new, |(_, value)| value);
    let listed: Vec<&str> = if typed.is_empty() {
        from_environment.split(',').collect()
    } else {
        typed.iter().map(String::as_str).collect()
    };
    let mut endpoints = Vec::new();
    for typed in listed.into_iter().filter(|typed| !typed.trim().is_empty()) {
        let endpoint = Endpoint::parse(typed, scheme)?;
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    if endpoints.is_empty() {
        if !typed.is_empty() {
            return Err(Error::Usage("--endpoints has no endpoint".to_owned()));
        }
        endpoints.push(Endpoint::parse("127.0.0.1", scheme)?);
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

/// The API that the option or the variable selects.
fn api(cli: &Cli, around: Surroundings<'_>) -> Result<ApiChoice, Error> {
    if let Some(typed) = cli.global.api {
        return Ok(match typed {
            cli::ApiArg::Auto => ApiChoice::Auto,
            cli::ApiArg::V2 => ApiChoice::V2,
            cli::ApiArg::V3 => ApiChoice::V3,
        });
    }
    match around.get("ETCDCTL_API").as_deref() {
        None | Some("auto") => Ok(ApiChoice::Auto),
        Some("2" | "v2") => Ok(ApiChoice::V2),
        Some("3" | "v3") => Ok(ApiChoice::V3),
        Some(other) => Err(Error::Usage(format!(
            "ETCDCTL_API='{other}': the value must be 2 or 3"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    use clap::Parser;

    fn resolved(args: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let cli = Cli::try_parse_from([&["etcdwatch"], args].concat()).unwrap();
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        let around = Surroundings {
            variable: &variable,
            ask: &|user| Ok(format!("password of {user}")),
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            stdout_is_pipe: false,
        };
        super::resolve(&cli, around)
    }

    fn urls(settings: &Settings) -> Vec<&str> {
        settings
            .client
            .endpoints
            .iter()
            .map(Endpoint::url)
            .collect()
    }

    #[test]
    fn flags_override_variables_and_variables_override_defaults() {
        let variables = [("ETCDCTL_ENDPOINTS", "http://b:1,c:2")];
        let flag = resolved(&["get", "/a", "--endpoints", "d:3"], &variables).unwrap();
        assert_eq!(urls(&flag), ["http://d:3"]);
        let variable = resolved(&["get", "/a"], &variables).unwrap();
        assert_eq!(urls(&variable), ["http://b:1", "http://c:2"]);
        let default = resolved(&["get", "/a"], &[]).unwrap();
        assert_eq!(urls(&default), ["http://127.0.0.1:2379"]);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let variables = [
            ("ETCDCTL_ENDPOINTS", ""),
            ("ETCDCTL_API", ""),
            ("NO_COLOR", ""),
        ];
        let settings = resolved(&["get", "/a"], &variables).unwrap();
        assert_eq!(urls(&settings), ["http://127.0.0.1:2379"]);
        assert!(settings.color);
    }

    #[test]
    fn the_command_timeout_applies_to_requests_but_not_to_watches() {
        let variables = [("ETCDCTL_COMMAND_TIMEOUT", "9s")];
        let timeout = |args: &[&str]| resolved(args, &variables).unwrap().timeout;
        assert_eq!(timeout(&["get", "/a"]), Some(Duration::from_secs(9)));
        assert_eq!(timeout(&["watch", "/a"]), None);
        assert_eq!(timeout(&["check", "f", "/a"]), Some(Duration::from_secs(5)));
        assert_eq!(timeout(&["check", "f", "/a", "--wait"]), None);
        assert_eq!(
            timeout(&["watch", "/a", "--timeout", "1s"]),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn the_user_and_password_come_from_the_options_and_variables_of_etcdctl() {
        let password = |args: &[&str], variables: &[(&str, &str)]| {
            let settings = resolved(&[&["get", "/a"], args].concat(), variables).unwrap();
            let credentials = settings.client.credentials.unwrap();
            assert_eq!(credentials.user, "root");
            credentials.password.reveal().to_owned()
        };
        assert_eq!(password(&[], &[("ETCDCTL_USER", "root:p:w")]), "p:w");
        let variables = [("ETCDCTL_USERNAME", "root"), ("ETCDCTL_PASSWORD", "pw")];
        assert_eq!(password(&[], &variables), "pw");
        assert_eq!(password(&["--user", "root"], &variables[1..]), "pw");
        assert_eq!(password(&["--user", "root:own"], &variables), "own");
        assert_eq!(password(&["--user", "root"], &[]), "password of root");
    }

    #[test]
    fn a_password_file_needs_a_user_and_excludes_another_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "from the file\n").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        let file = ["get", "/a", "--password-file", path.to_str().unwrap()];
        let resolve = |args: &[&str], variables: &[(&str, &str)]| {
            let settings = resolved(&[&file, args].concat(), variables)?;
            Ok::<_, Error>(
                settings
                    .client
                    .credentials
                    .unwrap()
                    .password
                    .reveal()
                    .to_owned(),
            )
        };
        let named = [("ETCDCTL_USER", "root:other")];
        assert_eq!(resolve(&["--user", "root"], &[]).unwrap(), "from the file");
        assert_eq!(resolve(&[], &named).unwrap(), "from the file");
        assert!(resolve(&["--user", "root:pw"], &[]).is_err());
        assert!(resolve(&[], &[]).is_err());
    }

    #[test]
    fn a_password_on_the_command_line_causes_a_warning() {
        let kinds = |args: &[&str], variables: &[(&str, &str)]| -> Vec<&str> {
            let settings = resolved(&[&["get", "/a"], args].concat(), variables).unwrap();
            settings
                .warnings
                .iter()
                .map(|warning| warning.kind)
                .collect()
        };
        assert_eq!(kinds(&["--user", "root:pw"], &[]), ["passwordInArguments"]);
        assert_eq!(kinds(&[], &[("ETCDCTL_USER", "root:pw")]), [""; 0]);
    }

    #[test]
    fn tls_files_make_https_the_default_scheme() {
        let files = [("ETCDCTL_CA_FILE", "ca"), ("ETCDCTL_CERT_FILE", "c")];
        let settings = resolved(&["get", "/a"], &files).unwrap();
        assert_eq!(urls(&settings), ["https://127.0.0.1:2379"]);
        assert_eq!(
            settings.client.tls.authorities.unwrap().by,
            "ETCDCTL_CA_FILE"
        );
        assert_eq!(settings.warnings, []);
        let args = ["get", "/a", "--cacert", "f", "--endpoints", "b:1,http://c"];
        let settings = resolved(&args, &files).unwrap();
        assert_eq!(urls(&settings), ["https://b:1", "http://c:2379"]);
        assert_eq!(
            settings.client.tls.authorities.unwrap().path,
            PathBuf::from("f")
        );
        assert_eq!(
            settings.warnings,
            [Warning::unencrypted("http://c:2379", false)]
        );
    }

    #[test]
    fn skipping_verification_causes_a_warning_if_an_endpoint_uses_tls() {
        let warnings = |args: &[&str], variables: &[(&str, &str)]| {
            let settings = resolved(&[&["get", "/a"], args].concat(), variables)?;
            Ok::<_, Error>(settings.warnings)
        };
        let url = ["--endpoints", "https://a"];
        let variable = |value| [("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", value)];
        assert_eq!(
            warnings(&url, &variable("true")).unwrap(),
            [Warning::unverified()]
        );
        assert_eq!(warnings(&url, &variable("false")).unwrap(), []);
        assert!(warnings(&url, &variable("perhaps")).is_err());
        let flag = ["--insecure-skip-tls-verify"];
        assert_eq!(warnings(&flag, &[]).unwrap(), []);
        let both = [url.as_slice(), &flag].concat();
        assert_eq!(warnings(&both, &[]).unwrap(), [Warning::unverified()]);
    }

    #[test]
    fn an_invalid_etcdctl_api_is_refused_and_the_option_overrides_a_valid_one() {
        assert!(resolved(&["watch", "/a"], &[("ETCDCTL_API", "4")]).is_err());
        assert!(resolved(&["get", "/a", "--api", "v2"], &[("ETCDCTL_API", "3")]).is_ok());
    }

    #[test]
    fn colours_are_on_for_a_terminal_unless_an_option_or_variable_decides() {
        let colour =
            |args: &[&str], variables: &[(&str, &str)]| resolved(args, variables).unwrap().color;
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
