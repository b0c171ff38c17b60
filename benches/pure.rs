//! The speed of the pure modules: from bytes to lines, events and records.
//!
//! `cargo bench` compares with the last run. `benches/compare.sh` compares whole processes with other
//! tools.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use etcdwatch::render::{json, text};
use etcdwatch_engine::decode::{Chunks, Lines, Messages, Part};
use etcdwatch_engine::escape;
use etcdwatch_engine::model::{Batch, Key, Record, Scope};
use etcdwatch_engine::v2;
use etcdwatch_engine::v3::{Assembler, WatchItem};

const EVENTS: usize = 10_000;

/// Lines as etcd streams them, some 260 bytes each, as in `benches/compare.sh`.
fn body() -> Vec<u8> {
    let node = |index: u64, value: u64| {
        format!(
            "{{\"key\":\"/app/services/web-{:05}/address\",\"value\":\"10.0.{}.{}:8080 of {value}\",\
             \"modifiedIndex\":{value},\"createdIndex\":{value}}}",
            index % 1000,
            index % 7,
            index % 250,
        )
    };
    let event = |index| {
        let (node, previous) = (node(index, index), node(index, 1));
        format!("{{\"action\":\"set\",\"node\":{node},\"prevNode\":{previous}}}\n")
    };
    (1001..=1000 + EVENTS as u64)
        .map(event)
        .collect::<String>()
        .into_bytes()
}

/// Each line as a chunk.
fn in_chunks(body: &[u8]) -> Vec<u8> {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let chunk = |line: &[u8]| [format!("{:x}\r\n", line.len()).as_bytes(), line, b"\r\n"].concat();
    lines.flat_map(chunk).collect()
}

fn benches(criterion: &mut Criterion) {
    let body = body();
    let mut group = criterion.benchmark_group("pure");
    group.throughput(Throughput::Bytes(body.len() as u64));

    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut lines = Lines::new(64 << 20);
            let mut blocks = 0;
            let mut rest = body.as_slice();
            while !rest.is_empty() {
                let room = lines.unfilled();
                let (piece, after) = rest.split_at(room.len().min(rest.len()));
                room[..piece.len()].copy_from_slice(piece);
                lines.advance(piece.len());
                rest = after;
                blocks += usize::from(matches!(lines.block(), Ok(Some(_))));
            }
            black_box(blocks)
        });
    });

    let framed = in_chunks(&body);
    let mut undone = vec![0; body.len()];
    let decoded = Chunks::default().decode(&framed, &mut undone);
    assert!(decoded.is_ok() && undone == body, "the chunks are undone");
    group.bench_function("chunks", |bencher| {
        bencher.iter(|| black_box(Chunks::default().decode(black_box(&framed), &mut undone)));
    });

    group.bench_function("parse", |bencher| {
        bencher.iter(|| black_box(v2::parse_events(black_box(body.clone()))));
    });

    // The same events in another form of JSON.
    let spaced = String::from_utf8_lossy(&body).replace("{\"action\"", " {\"action\"");
    group.bench_function("parse another form", |bencher| {
        bencher.iter(|| black_box(v2::parse_events(black_box(spaced.clone().into_bytes()))));
    });

    group.bench_function("escape", |bencher| {
        let mut out = String::new();
        bencher.iter(|| {
            out.clear();
            for line in body.split(|byte| *byte == b'\n') {
                escape::text(black_box(line), &mut out);
            }
            black_box(out.len())
        });
    });

    let Ok(batch) = v2::parse_events(body.clone()) else {
        return;
    };
    group.bench_function("text", |bencher| {
        let mut out = String::new();
        bencher.iter(|| {
            out.clear();
            for event in batch.iter() {
                text::record(&Record::Event(event), text::Style::default(), &mut out);
            }
            black_box(out.len())
        });
    });

    group.bench_function("json", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for event in batch.iter() {
                json::record(&Record::Event(event), false, &mut out);
            }
            black_box(out.len())
        });
    });
    group.finish();
}

/// An event as the v3 gateway writes it, with the previous pair.
fn element(number: usize) -> String {
    let revision = number / 100 + 3;
    let pair = |revision: usize| {
        format!(
            r#"{{"key":"{}","create_revision":"2","mod_revision":"{revision}","version":"{}","value":"{}"}}"#,
            STANDARD.encode(format!("/app/key{}", 100 + number % 100)),
            revision - 1,
            STANDARD.encode(format!("value of key {}", 100 + number % 100)),
        )
    };
    format!(
        r#"{{"kv":{},"prev_kv":{}}}"#,
        pair(revision),
        pair(revision - 1),
    )
}

/// A message with a hundred transactions of a hundred keys each.
fn message() -> Vec<u8> {
    let elements: Vec<String> = (0..EVENTS).map(element).collect();
    format!(
        r#"{{"result":{{"header":{{"cluster_id":"255","member_id":"7","revision":"102","raft_term":"2"}},"events":[{}]}}}}"#,
        elements.join(","),
    )
    .into_bytes()
}

/// Passes the parts of `body` to `take`, as it arrives in pieces.
fn each_part(body: &[u8], mut take: impl FnMut(Part<'_>)) {
    let mut messages = Messages::new(64 << 20);
    for mut piece in body.chunks(64 * 1024) {
        while let Ok(Some(part)) = messages.next(&mut piece) {
            take(part);
        }
    }
}

/// The events of `parts`.
fn assembled<'p>(parts: impl IntoIterator<Item = Part<'p>>) -> Vec<Batch> {
    let mut assembler = Assembler::new(Scope::new(Key::prefix("/app/"), false));
    let mut batches = Vec::new();
    for part in parts {
        match part {
            Part::Element(text) => {
                let portion = assembler.event(text).ok().flatten();
                batches.extend(portion.map(|portion| portion.batch));
            }
            Part::Message(text) => {
                for item in assembler.message(text).unwrap_or_default() {
                    if let WatchItem::Events(portion) = item {
                        batches.push(portion.batch);
                    }
                }
            }
        }
    }
    batches
}

fn revisions(criterion: &mut Criterion) {
    let body = message();
    let mut group = criterion.benchmark_group("v3");
    group.throughput(Throughput::Bytes(body.len() as u64));

    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut parts = 0;
            each_part(black_box(&body), |_| parts += 1);
            black_box(parts)
        });
    });

    let mut parts: Vec<(bool, Vec<u8>)> = Vec::new();
    each_part(&body, |part| match part {
        Part::Element(text) => parts.push((true, text.to_owned())),
        Part::Message(text) => parts.push((false, text.to_owned())),
    });
    let parts = || {
        parts.iter().map(|(is_element, text)| {
            if *is_element {
                Part::Element(text)
            } else {
                Part::Message(text)
            }
        })
    };
    let batches = assembled(parts());
    assert_eq!(batches.iter().map(Batch::len).sum::<usize>(), EVENTS);
    group.bench_function("parse", |bencher| {
        bencher.iter(|| black_box(assembled(parts())));
    });

    group.bench_function("json", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for event in batches.iter().flat_map(Batch::iter) {
                json::record(&Record::Event(event), false, &mut out);
            }
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(pure, benches, revisions);
criterion_main!(pure);
