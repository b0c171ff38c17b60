//! The report of `doctor`, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use colored::Colorize as _;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::facts::{ApiFacts, EndpointFacts, Facts};
use super::findings::{Finding, History, Weight, cluster, lag};
use crate::render::json as printed;
use etcdwatch_engine::escape;
use etcdwatch_engine::model;

/// A key, and how often it was written during the sample.
pub type BusyKey = (Vec<u8>, u64);

/// Everything that `doctor` has found out.
#[derive(Clone, Debug)]
pub struct Report {
    /// The answers of the endpoints before the sample.
    pub before: Vec<Facts>,
    /// The answers of the endpoints after the sample.
    pub after: Vec<Facts>,
    /// The length of the sample.
    pub sampled: Duration,
    /// The history of each API that is on.
    pub histories: Vec<History>,
    /// The keys that were written most, in descending order.
    pub busiest: Vec<BusyKey>,
    /// The number of writes in scope during the sample.
    pub writes: u64,
    /// The API that the writes were counted with, if there was a watch.
    pub counted_by: Option<model::Api>,
    /// The user that requests are sent as.
    pub user: Option<String>,
    /// Encryption and certificates, as a phrase.
    pub connections: String,
    /// Whether every connection is encrypted.
    pub is_encrypted: bool,
    /// The problems and notes.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether there is no problem. Notes do not count.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let mut findings = self.findings.iter();
        !findings.any(|finding| finding.weight == Weight::Problem)
    }

    fn lag(&self, facts: &Facts) -> u64 {
        let over_v2 = lag(&self.before, facts, |known| &known.v2);
        over_v2.max(lag(&self.before, facts, |known| &known.v3))
    }
}

const HEADINGS: [&str; 10] = [
    "ENDPOINT", "VERSION", "V2", "V3", "CLUSTER", "MEMBER", "INDEX", "LAG", "QUORUM", "TRIP",
];

/// The longest version or id that is printed, in characters.
const MAX_CELL: usize = 40;

/// Renders the report as a table and a list of findings.
#[must_use]
pub fn text(report: &Report, is_colored: bool) -> String {
    let mut rows: Vec<Vec<String>> = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(report.after.iter().map(|facts| row(report, facts)));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or_default()
        })
        .collect();
    let mut out = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let missing = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(missing))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        let line = if is_colored && place == 0 {
            line.bold().to_string()
        } else {
            line.to_owned()
        };
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
    for history in &report.histories {
        let reach = match history.reach() {
            Some(reach) => format!("{} at {:.1} writes/s", duration(reach), history.rate),
            None if history.is_whole => format!("nothing compacted, {:.1} writes/s", history.rate),
            None => "no writes".to_owned(),
        };
        let _ = writeln!(
            out,
            "history   {}: {} indexes, {reach} (sample of {})",
            history.api.name(),
            history.length,
            duration(report.sampled)
        );
    }
    let user = report.user.as_ref().map_or("no user", String::as_str);
    let _ = writeln!(
        out,
        "client    {}; {}",
        escape::message(user),
        escape::message(&report.connections)
    );
    let counted = report
        .counted_by
        .map_or_else(String::new, |api| format!(" ({})", api.name()));
    let _ = writeln!(out, "writes    {} in scope{counted}", report.writes);
    for (key, count) in &report.busiest {
        let mut escaped = String::new();
        escape::text(key, &mut escaped);
        let _ = writeln!(out, "          {count:>6}  {escaped}");
    }
    out.push('\n');
    if report.findings.is_empty() {
        let _ = writeln!(out, "No problems found.");
    }
    for finding in &report.findings {
        let sign = match finding.weight {
            Weight::Problem => "problem",
            Weight::Advice => "note",
        };
        let sign = match (finding.weight, is_colored) {
            (Weight::Problem, true) => sign.red().bold().to_string(),
            (Weight::Advice, true) => sign.yellow().to_string(),
            (_, false) => sign.to_owned(),
        };
        let about = finding.endpoint.as_ref();
        let about = about.map_or_else(String::new, |endpoint| format!("{endpoint}: "));
        let what = escape::message(&format!("{about}{}", escape::said(&finding.what)));
        let _ = writeln!(out, "{sign}: {what}\n  hint: {}", finding.advice);
    }
    out
}

fn row(report: &Report, facts: &Facts) -> Vec<String> {
    let endpoint = facts.endpoint.clone();
    let Ok(known) = &facts.known else {
        return vec![endpoint, "unreachable".to_owned()];
    };
    let dash = || "-".to_owned();
    let state = |api: &ApiFacts| {
        match api {
            ApiFacts::On(_) => "on",
            ApiFacts::Off => "off",
            ApiFacts::Failed(_) => "?",
        }
        .to_owned()
    };
    let members = [known.v3.member(), known.v2.member()];
    let member = members
        .iter()
        .flatten()
        .find_map(|member| member.member.clone());
    // With the v2 API, a member keeps naming the leader that it has lost.
    let leader = members
        .iter()
        .flatten()
        .next()
        .and_then(|member| member.leader.clone());
    let role = match (&member, &leader) {
        (Some(member), Some(leader)) if member == leader => " leader",
        (Some(_), None) => " no leader",
        _ => "",
    };
    let index = |api: &ApiFacts| {
        api.member()
            .map_or_else(dash, |member| member.index.to_string())
    };
    vec![
        endpoint,
        known
            .version
            .clone()
            .map_or_else(dash, |version| said(&version)),
        state(&known.v2),
        state(&known.v3),
        cluster(known)
            .cloned()
            .map_or_else(dash, |cluster| said(&cluster)),
        format!("{}{role}", said(&member.unwrap_or_else(dash))),
        format!("{}/{}", index(&known.v2), index(&known.v3)),
        report.lag(facts).to_string(),
        known
            .quorum
            .as_ref()
            .map_or_else(|_| "no".to_owned(), |took| duration(*took)),
        duration(known.round_trip),
    ]
}

/// A text from a server, as a cell of the table.
fn said(text: &str) -> String {
    let mut cell = String::new();
    escape::text(
        text.chars().take(MAX_CELL).collect::<String>().as_bytes(),
        &mut cell,
    );
    cell
}

/// A duration with two or three digits and a unit.
fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 0.001 => format!("{:.0}us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1}ms", seconds * 1e3),
        seconds if seconds < 120.0 => format!("{seconds:.1}s"),
        seconds if seconds < 7200.0 => format!("{:.0}min", seconds / 60.0),
        seconds => format!("{:.0}h", seconds / 3600.0),
    }
}

/// The report as one JSON object.
#[must_use]
pub fn record(report: &Report) -> Value {
    let endpoints: Vec<Value> = report
        .after
        .iter()
        .map(|facts| match &facts.known {
            Err(why) => json!({"endpoint": facts.endpoint, "reachable": false, "error": why}),
            Ok(known) => of_known(report, facts, known),
        })
        .collect();
    let histories: Vec<Value> = report
        .histories
        .iter()
        .map(|history| {
            json!({
                "api": history.api.name(), "indexes": history.length,
                "writesPerSecond": history.rate,
                "seconds": history.reach().map(|reach| reach.as_secs_f64()),
            })
        })
        .collect();
    let busiest: Vec<Value> = report
        .busiest
        .iter()
        .map(|(key, count)| {
            let mut fields = serde_json::Map::new();
            printed::text("key", key, &mut fields);
            fields.insert("writes".to_owned(), (*count).into());
            fields.into()
        })
        .collect();
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "weight": match finding.weight {
                    Weight::Problem => "problem",
                    Weight::Advice => "note",
                },
                "kind": finding.kind, "endpoint": finding.endpoint, "message": finding.what,
                "try": finding.advice,
            })
        })
        .collect();
    json!({
        "well": report.is_well(),
        "endpoints": endpoints,
        "history": histories,
        "sampledSeconds": report.sampled.as_secs_f64(),
        "writes": report.writes,
        "countedBy": report.counted_by.map(model::Api::name),
        "busiest": busiest,
        "user": report.user,
        "connections": report.connections,
        "tls": report.is_encrypted,
        "findings": findings,
    })
}

fn of_known(report: &Report, facts: &Facts, known: &EndpointFacts) -> Value {
    let api = |api: &ApiFacts| match api {
        ApiFacts::On(member) => json!({
            "state": "on", "cluster": member.cluster, "member": member.member,
            "leader": member.leader, "index": member.index.0,
        }),
        ApiFacts::Off => json!({"state": "off"}),
        ApiFacts::Failed(why) => json!({"state": "failed", "error": why}),
    };
    json!({
        "endpoint": facts.endpoint,
        "reachable": true,
        "version": known.version,
        "v2": api(&known.v2),
        "v3": api(&known.v3),
        "lag": report.lag(facts),
        "quorumSeconds": known.quorum.as_ref().ok().map(Duration::as_secs_f64),
        "quorumError": known.quorum.as_ref().err(),
        "roundTripSeconds": known.round_trip.as_secs_f64(),
        "v2Authentication": known.v2_auth,
        "v3Authentication": known.v3_auth,
    })
}
