//! `doctor`.

use std::time::{Duration, Instant};

use crate::cli;
use crate::doctor::facts::{self, Facts};
use crate::doctor::findings::{self, Finding, History, Weight};
use crate::doctor::history;
use crate::doctor::table::{self, Report};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::json;
use crate::run::inbox::{Inbox, Stop};
use crate::run::watching;
use crate::settings::{ApiChoice, OutputFormat, Settings, Watched};
use crate::sink::sample::Sample;
use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::{Api, Key, Scope};
use etcdwatch_engine::watch::{OnGap, Plan};

/// So many keys are shown.
const SHOWN: usize = 5;

/// Tells what an operator wants to know before a watch is trusted.
///
/// # Errors
/// Where something is wrong, or that can't be found out.
pub fn run(typed: &cli::Doctor, settings: &Settings) -> Result<(), Stop> {
    let key = typed.key.clone().unwrap_or_default();
    let mut inbox = Inbox::new(settings, "asking", &key)?;
    // It tells all of that itself.
    inbox.screen.hush();
    let http = Http::new(&settings.client, inbox.log(settings)).map_err(Error::from)?;
    let before = ask(&mut inbox, &http, settings)?;
    let began = Instant::now();
    let mut sample = Sample::until(began + typed.sample);
    let is_anyone_there = before.iter().any(|facts| facts.known.is_ok());
    let watched = if is_anyone_there {
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
    let took = began.elapsed();
    let after = if is_anyone_there {
        ask(&mut inbox, &http, settings)?
    } else {
        before.clone()
    };
    let histories = reach(&mut inbox, &http, settings, (&before, &after), took)?;
    let asked: &[Api] = match settings.api {
        ApiChoice::V2 => &[Api::V2],
        ApiChoice::V3 => &[Api::V3],
        ApiChoice::Auto => &Api::ALL,
    };
    let mut findings = findings::of(&before, &after, &histories, asked);
    let uncounted = histories.iter().find(|history| {
        let is_other = sample.counted.is_some_and(|api| api != history.api);
        is_other && history.rate > 0.0 && asked.contains(&history.api)
    });
    if let Some(history) = uncounted {
        let api = history.api.name();
        findings.push(Finding {
            weight: Weight::Advice,
            kind: "uncounted",
            endpoint: None,
            what: format!("{:.1} writes/s by {api} were not counted", history.rate),
            advice: format!("--api {api} counts them"),
        });
    }
    if settings.client.credentials.is_none() {
        findings.extend(findings::missing_user(&after, asked));
    }
    if let Some(error) = failed {
        findings.push(Finding {
            weight: Weight::Problem,
            kind: "watch",
            endpoint: None,
            what: format!("a watch can't go on: {error}"),
            advice: error.hint().unwrap_or_else(|| "see the message".to_owned()),
        });
    }
    let report = Report {
        before,
        after,
        sampled: took,
        histories,
        writes: sample.writes,
        counted: sample.counted,
        busiest: sample.busiest(SHOWN),
        user: settings
            .client
            .credentials
            .as_ref()
            .map(|one| one.user.clone()),
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

/// How the endpoints are spoken to.
fn connections(settings: &Settings) -> String {
    let encrypted = settings
        .client
        .endpoints
        .iter()
        .filter(|one| one.is_encrypted());
    let by = match encrypted.count() {
        0 => return "in the clear".to_owned(),
        count if count == settings.client.endpoints.len() => "by TLS",
        _ => "some by TLS",
    };
    let checked = if settings.client.tls.is_unverified {
        ", certificates not checked"
    } else {
        ""
    };
    let shown = settings.client.tls.certificate.as_ref().map_or_else(
        || ", no certificate of its own".to_owned(),
        |file| format!(", with the certificate {}", file.path.display()),
    );
    format!("{by}{checked}{shown}")
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

/// How the histories stand: to find that out takes many questions.
fn reach(
    inbox: &mut Inbox,
    http: &Http,
    settings: &Settings,
    (before, after): (&[Facts], &[Facts]),
    took: Duration,
) -> Result<Vec<History>, Stop> {
    let (http, endpoints) = (http.clone(), settings.client.endpoints.clone());
    let (before, after) = (before.to_vec(), after.to_vec());
    inbox.wait_for(move || history::sampled(&before, &after, took, &http, &endpoints))
}

/// What is watched for the sample: all there is, where no key was named.
fn scopes(key: Option<&String>, settings: &Settings) -> Result<Vec<Scope>, Error> {
    if let Some(key) = key {
        let watched = Watched {
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
