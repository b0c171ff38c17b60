//! The command `doctor`.

use std::time::{Duration, Instant};

use crate::cli;
use crate::doctor::facts::{self, Facts};
use crate::doctor::findings::{self, Finding, History, Weight};
use crate::doctor::history;
use crate::doctor::table::{self, Report};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::json;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::run::watching;
use crate::settings::{ApiChoice, OutputFormat, Settings, WatchedKeys};
use crate::sink::sample::Sample;
use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::{Api, Key, Scope};
use etcdwatch_engine::watch::{OnGap, Plan};

/// The number of the busiest keys that are printed.
const BUSIEST: usize = 5;

/// Examines the endpoints, watches for a moment, and prints a report.
///
/// # Errors
/// If the report has a problem, or the time runs out.
pub fn run(typed: &cli::Doctor, settings: &Settings) -> Result<(), Stop> {
    let key = typed.key.clone().unwrap_or_default();
    let mut inbox = Inbox::new(settings, "asking", &key)?;
    // The report contains the information of all notices.
    inbox.screen.hush();
    let http = Http::new(&settings.client, inbox.log(settings)).map_err(Error::from)?;
    let before = ask(&mut inbox, &http, settings)?;
    let began = Instant::now();
    let mut sample = Sample::until(began + typed.sample);
    let is_reachable = before.iter().any(|facts| facts.known.is_ok());
    let watched = if is_reachable {
        let scopes = scopes(typed.key.as_ref(), settings)?;
        let plan_of = |scope| Plan {
            on_gap: OnGap::Continue,
            ..watching::plan(scope, settings)
        };
        watching::run(scopes, plan_of, settings, &mut inbox, &mut sample)
    } else {
        Ok(())
    };
    let failed = match watched {
        Ok(()) => None,
        Err(Stop::Error(error @ Error::TimedOut(_))) => return Err(error.into()),
        Err(Stop::Error(error)) => Some(error),
        Err(stop) => return Err(stop),
    };
    let duration = began.elapsed();
    let after = if is_reachable {
        ask(&mut inbox, &http, settings)?
    } else {
        before.clone()
    };
    let histories = histories(&mut inbox, &http, settings, (&before, &after), duration)?;
    let apis: &[Api] = match settings.api {
        ApiChoice::V2 => &[Api::V2],
        ApiChoice::V3 => &[Api::V3],
        ApiChoice::Auto => &Api::ALL,
    };
    let mut findings = findings::of(&before, &after, &histories, apis);
    let uncounted = histories.iter().find(|history| {
        let is_other = sample.counted_by.is_some_and(|api| api != history.api);
        is_other && history.rate > 0.0 && apis.contains(&history.api)
    });
    if let Some(history) = uncounted {
        let api = history.api.name();
        findings.push(Finding {
            weight: Weight::Advice,
            kind: "uncounted",
            endpoint: None,
            what: format!(
                "{:.1} writes/s with the {api} API were not counted",
                history.rate
            ),
            advice: format!("use --api {api} to count them"),
        });
    }
    if settings.client.credentials.is_none() {
        findings.extend(findings::missing_user(&after, apis));
    }
    if let Some(error) = failed {
        findings.push(Finding {
            weight: Weight::Problem,
            kind: "watch",
            endpoint: None,
            what: format!("the watch failed: {error}"),
            advice: error
                .hint()
                .unwrap_or_else(|| "see the message above".to_owned()),
        });
    }
    let report = Report {
        before,
        after,
        sampled: duration,
        histories,
        writes: sample.writes,
        counted_by: sample.counted_by,
        busiest: sample.busiest(BUSIEST),
        user: settings
            .client
            .credentials
            .as_ref()
            .map(|credentials| credentials.user.clone()),
        connections: connections(settings),
        is_encrypted: settings.client.endpoints.iter().all(Endpoint::is_encrypted),
        findings,
    };
    inbox.screen.clear();
    inbox.screen.print(&mut render(&report, settings))?;
    if report.is_well() {
        Ok(())
    } else {
        Err(Stop::Quiet(Exit::No))
    }
}

/// The description of encryption and certificates in the report.
fn connections(settings: &Settings) -> String {
    let encrypted = settings
        .client
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.is_encrypted());
    let encryption = match encrypted.count() {
        0 => return "not encrypted".to_owned(),
        count if count == settings.client.endpoints.len() => "TLS",
        _ => "TLS to some endpoints",
    };
    let checked = if settings.client.tls.is_unverified {
        ", certificates not verified"
    } else {
        ""
    };
    let shown = settings.client.tls.certificate.as_ref().map_or_else(
        || ", no client certificate".to_owned(),
        |file| format!(", client certificate {}", file.path.display()),
    );
    format!("{encryption}{checked}{shown}")
}

fn render(report: &Report, settings: &Settings) -> Vec<u8> {
    match settings.output {
        OutputFormat::Json => {
            let mut out = Vec::new();
            let record = table::record(report).to_string();
            json::push_line(record.as_bytes(), settings.stdout_is_terminal, &mut out);
            out
        }
        OutputFormat::Text => table::text(report, settings.color).into_bytes(),
    }
}

fn ask(inbox: &mut Inbox, http: &Http, settings: &Settings) -> Result<Vec<Facts>, Stop> {
    let (http, endpoints) = (http.clone(), settings.client.endpoints.clone());
    inbox.wait_for(move || facts::ask_all(&http, &endpoints))
}

/// Finds the oldest revision in each history, which takes many requests.
fn histories(
    inbox: &mut Inbox,
    http: &Http,
    settings: &Settings,
    (before, after): (&[Facts], &[Facts]),
    duration: Duration,
) -> Result<Vec<History>, Stop> {
    let (http, endpoints) = (http.clone(), settings.client.endpoints.clone());
    let (before, after) = (before.to_vec(), after.to_vec());
    inbox.wait_for(move || history::sampled(&before, &after, duration, &http, &endpoints))
}

/// The scopes to watch for the sample: everything, unless a key was given.
fn scopes(key: Option<&String>, settings: &Settings) -> Result<Vec<Scope>, Error> {
    if let Some(key) = key {
        let watched = WatchedKeys {
            keys: vec![key.clone()],
            recursive: true,
            prefix: false,
        };
        return watched.scopes(settings.api);
    }
    let (v2, v3) = (
        Scope::new(Key::root(), true),
        Scope::new(Key::prefix(""), false),
    );
    Ok(match settings.api {
        ApiChoice::V2 => vec![v2],
        ApiChoice::V3 => vec![v3],
        ApiChoice::Auto => vec![v2, v3],
    })
}
