//! How fast the pure rooms are: bytes to lines to events to records.
//!
//! `cargo bench` compares with the run before. What a user would take instead is compared in
//! whole processes, not here.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use etcdwatch::decode::Lines;
use etcdwatch::model::Record;
use etcdwatch::print::{json, text};
use etcdwatch::protocol::v2;

const EVENTS: usize = 10_000;

/// Lines as etcd streams them.
fn body() -> Vec<u8> {
    (1..=EVENTS)
        .flat_map(|index| {
            format!(
                "{{\"action\":\"set\",\"node\":{{\"key\":\"/app/key{}\",\"value\":\"value \
                 {index}\",\"modifiedIndex\":{index},\"createdIndex\":{index}}},\"prevNode\":\
                 {{\"key\":\"/app/key{}\",\"value\":\"value\",\"modifiedIndex\":1,\
                 \"createdIndex\":1}}}}\n",
                index % 100,
                index % 100,
            )
            .into_bytes()
        })
        .collect()
}

fn benches(criterion: &mut Criterion) {
    let body = body();
    let mut group = criterion.benchmark_group("pure");
    group.throughput(Throughput::Bytes(body.len() as u64));

    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut lines = Lines::new(64 << 20);
            let mut blocks = 0;
            for piece in body.chunks(16 * 1024) {
                if let Some(room) = lines.room().get_mut(..piece.len()) {
                    room.copy_from_slice(piece);
                }
                lines.advance(piece.len());
                blocks += usize::from(matches!(lines.block(), Ok(Some(_))));
            }
            black_box(blocks)
        });
    });

    group.bench_function("parse", |bencher| {
        bencher.iter(|| black_box(v2::parse_events(black_box(body.clone()))));
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

criterion_group!(pure, benches);
criterion_main!(pure);
