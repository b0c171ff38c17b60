//! Renders a request as the curl command that reproduces it, for `--verbose`.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::TlsConfig;
use etcdwatch_engine::protocol::{Method, Request};

/// The options of the command beside the request, without credentials.
pub(super) struct ShownRequest<'s> {
    pub url: &'s str,
    pub headers: &'s [(&'static str, &'s str)],
    /// The user, with the v2 API.
    pub user: Option<&'s str>,
    pub proxy: Option<&'s str>,
    /// The configuration of TLS, if it is used.
    pub tls: Option<&'s TlsConfig>,
}

pub(super) fn render(request: &Request, shown: &ShownRequest<'_>) -> String {
    let mut line = "curl -sS".to_owned();
    if request.target.contains("wait=true") || request.needs_leader {
        line.push('N');
    }
    if request.method != Method::Get {
        let _ = write!(line, " -X {}", request.method.name());
    }
    if let Some(proxy) = shown.proxy {
        let _ = write!(line, " -p -x {}", quote(proxy));
    }
    if let Some(tls) = shown.tls {
        render_tls(tls, &mut line);
    }
    for (name, value) in shown.headers {
        let _ = write!(line, " -H {}", quote(&format!("{name}: {value}")));
    }
    if let Some(user) = shown.user {
        let _ = write!(line, " -u {}", quote(&format!("{user}:PASSWORD")));
    }
    if let Some(body) = &request.body {
        // Percent-encoded forms and base64 in JSON are printable.
        let _ = write!(
            line,
            " -d {}",
            quote(&String::from_utf8_lossy(body.bytes()))
        );
    }
    let _ = write!(line, " {}", quote(shown.url));
    line
}

fn render_tls(tls: &TlsConfig, line: &mut String) {
    if tls.is_unverified {
        line.push_str(" -k");
    }
    let files = [
        ("--cacert", &tls.authorities),
        ("--cert", &tls.certificate),
        ("--key", &tls.key),
    ];
    for (option, file) in files {
        if let Some(file) = file {
            let _ = write!(line, " {option} {}", quote(&show(&file.path)));
        }
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

/// Quotes a word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
