//! `rm`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::request::{self, Client, parse_key, parse_literal};
use super::{condition, record, transaction};
use crate::cli;
use crate::error::Error;
use crate::run::inbox::Stop;
use crate::settings::Settings;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::v2;
use etcdwatch_engine::v3::{self, Span};

/// Removes a key or a directory, and prints the record.
///
/// # Errors
/// Where a condition does not hold, or the request fails.
pub fn run(typed: &cli::Rm, settings: &Settings) -> Result<(), Stop> {
    let typed = typed.clone();
    let look = record::Look::of(settings);
    let key = typed.key.clone();
    request::run(settings, "removing", &key, move |client| {
        if typed.prefix {
            return client.by_v3("--prefix", || by_v3(&typed, client, look));
        }
        client
            .by_either(
                || by_v2(&typed, client, look),
                || by_v3(&typed, client, look),
            )
            .map_err(|error| client.look_elsewhere(&typed.key, error))
    })
}

fn by_v2(typed: &cli::Rm, client: &Client, look: record::Look) -> Result<Vec<u8>, Error> {
    let key = parse_key(&typed.key)?;
    let wanted = condition::from_typed(None, typed.prev_value.clone(), typed.prev_index);
    let answer = condition::send(client, &key, &wanted, |condition| {
        v2::delete(&key, typed.recursive, typed.dir, condition)
    })?;
    record::render(answer, look)
}

fn by_v3(typed: &cli::Rm, client: &Client, look: record::Look) -> Result<Vec<u8>, Error> {
    if typed.dir {
        return Err(Error::Usage("--dir: v3 has no directories".to_owned()));
    }
    let key = if typed.prefix {
        typed.key.as_bytes()
    } else {
        parse_literal(&typed.key)?
    };
    let condition = v3::Condition {
        exists: None,
        value: typed.prev_value.clone().map(OsString::into_vec),
        index: typed.prev_index.map(Index),
    };
    let spans = match (typed.prefix, typed.recursive) {
        (true, _) => vec![Span::beginning_with(key)],
        (_, true) => vec![Span::of(key), Span::below(key)],
        _ => vec![Span::of(key)],
    };
    let request = v3::delete(key, &spans, &condition);
    let answered = transaction::send(client, &request)?;
    if !answered.reply.succeeded {
        return Err(answered.failed(key, &condition));
    }
    if answered.reply.removed.is_empty() {
        return Err(answered.not_found(key));
    }
    Ok(record::render_batch(&answered.reply.deleted(), look))
}
