//! The command `set`.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;

use super::request::{self, Requester, parse_key, parse_literal, precondition};
use super::{v2_request, v3_request};
use crate::cli;
use crate::error::Error;
use crate::render::renderer::Renderer;
use crate::run::stop::Stop;
use crate::settings::{Appearance, Settings};
use etcdwatch_engine::v2::{self, Write};
use etcdwatch_engine::v3;

/// Writes a value or creates a directory, and prints the record.
///
/// # Errors
/// If a condition does not hold, or the request fails.
pub fn run(typed: &cli::Set, settings: &Settings) -> Result<(), Stop> {
    let mut typed = typed.clone();
    let max = settings.client.max_event;
    let renderer = Renderer::new(&Appearance::default(), settings);
    let key = typed.key.clone();
    request::run(settings, "writing", &key, move |requester| {
        let value = match typed.value.take() {
            Some(value) if value == "-" => Some(read_stdin(max)?),
            other => other.map(OsString::into_vec),
        };
        let v2 = || with_v2(&typed, value.as_deref(), requester, &renderer);
        let v3 = || with_v3(&typed, value.as_deref(), requester, &renderer);
        if typed.create {
            // Otherwise two processes could take the same lock, one with each API.
            requester.create_with_either(&typed.key, v2, v3)
        } else {
            requester.with_either(v2, v3)
        }
    })
}

fn with_v2(
    typed: &cli::Set,
    value: Option<&[u8]>,
    requester: &Requester,
    renderer: &Renderer,
) -> Result<Vec<u8>, Error> {
    let key = parse_key(&typed.key)?;
    let expected = precondition(exists(typed), typed.prev_value.clone(), typed.prev_index);
    let answer = v2_request::send(requester, &key, &expected, |condition| {
        v2::write(&Write {
            key: key.clone(),
            value: value.map(<[u8]>::to_vec),
            ttl: typed.ttl,
            condition: condition.clone(),
            in_order: typed.in_order,
        })
    })?;
    v2_request::render(answer, renderer)
}

fn with_v3(
    typed: &cli::Set,
    value: Option<&[u8]>,
    requester: &Requester,
    renderer: &Renderer,
) -> Result<Vec<u8>, Error> {
    let Some(value) = value else {
        return Err(Error::Usage(
            "--dir needs --api v2, because v3 has no directories".to_owned(),
        ));
    };
    if typed.in_order {
        return Err(Error::Usage("--in-order needs --api v2".to_owned()));
    }
    let key = parse_literal(&typed.key)?;
    let condition = precondition(exists(typed), typed.prev_value.clone(), typed.prev_index);
    let lease = typed
        .ttl
        .map(|seconds| grant(requester, seconds))
        .transpose()?;
    let request = v3::write(key, value, lease, &condition);
    let answered = v3_request::write(requester, &request)?;
    if answered.reply.succeeded {
        let batch = answered.reply.written(key, value, lease);
        return Ok(renderer.batch(&batch));
    }
    if let Some(lease) = lease {
        // If this fails, the lease expires by itself.
        let _ = requester.send(&v3::revoke_lease(lease));
    }
    Err(answered.failed(key, &condition))
}

fn grant(requester: &Requester, seconds: v2::Expiry) -> Result<i64, Error> {
    let answer = requester.send(&v3::grant_lease(seconds))?;
    v3::parse_lease(&answer.body).map_err(|error| answer.malformed(error))
}

/// Whether the key must exist (`true`) or must not (`false`).
fn exists(typed: &cli::Set) -> Option<bool> {
    match (typed.create, typed.update) {
        (true, _) => Some(false),
        (_, true) => Some(true),
        _ => None,
    }
}

fn read_stdin(max: usize) -> Result<Vec<u8>, Error> {
    let mut value = Vec::new();
    io::stdin()
        .lock()
        .take(max as u64 + 1)
        .read_to_end(&mut value)
        .map_err(|source| Error::Input {
            what: "standard input".to_owned(),
            source,
        })?;
    if value.len() > max {
        return Err(Error::Usage(format!(
            "the value on standard input is longer than {max} bytes; raise the limit with \
             --max-event"
        )));
    }
    Ok(value)
}
