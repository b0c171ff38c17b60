//! The command `rm`.

use super::request::{self, Requester, parse_key, parse_literal, precondition};
use super::{v2_request, v3_request};
use crate::cli;
use crate::error::Error;
use crate::render::renderer::Renderer;
use crate::run::stop::Stop;
use crate::settings::{Appearance, Settings};
use etcdwatch_engine::v2;
use etcdwatch_engine::v3::{self, KeyRange};

/// Removes a key or a directory, and prints the record.
///
/// # Errors
/// If the key does not exist, a condition does not hold, or the request fails.
pub fn run(typed: &cli::Rm, settings: &Settings) -> Result<(), Stop> {
    let typed = typed.clone();
    let renderer = Renderer::new(&Appearance::default(), settings);
    let key = typed.key.clone();
    request::run(settings, "removing", &key, move |requester| {
        if typed.prefix {
            return requester.with_v3("--prefix", || with_v3(&typed, requester, &renderer));
        }
        requester
            .with_either(
                || with_v2(&typed, requester, &renderer),
                || with_v3(&typed, requester, &renderer),
            )
            .map_err(|error| requester.look_elsewhere(&typed.key, error))
    })
}

fn with_v2(typed: &cli::Rm, requester: &Requester, renderer: &Renderer) -> Result<Vec<u8>, Error> {
    let key = parse_key(&typed.key)?;
    let expected = precondition(None, typed.prev_value.clone(), typed.prev_index);
    let answer = v2_request::send(requester, &key, &expected, |condition| {
        v2::delete(&key, typed.recursive, typed.dir, condition)
    })?;
    v2_request::render(answer, renderer)
}

fn with_v3(typed: &cli::Rm, requester: &Requester, renderer: &Renderer) -> Result<Vec<u8>, Error> {
    if typed.dir {
        return Err(Error::Usage(
            "--dir needs --api v2, because v3 has no directories".to_owned(),
        ));
    }
    let key = if typed.prefix {
        typed.key.as_bytes()
    } else {
        parse_literal(&typed.key)?
    };
    let condition = precondition(None, typed.prev_value.clone(), typed.prev_index);
    let spans = match (typed.prefix, typed.recursive) {
        (true, _) => vec![KeyRange::beginning_with(key)],
        (_, true) => vec![KeyRange::of(key), KeyRange::below(key)],
        _ => vec![KeyRange::of(key)],
    };
    let request = v3::delete(key, &spans, &condition);
    let answered = v3_request::write(requester, &request)?;
    if !answered.reply.succeeded {
        return Err(answered.failed(key, &condition));
    }
    if answered.reply.removed.is_empty() {
        return Err(answered.not_found(key));
    }
    Ok(renderer.batch(&answered.reply.deleted()))
}
