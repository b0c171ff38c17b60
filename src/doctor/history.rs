//! How far back the histories reach at the present rate of writes.

use std::time::Duration;

use super::facts::{self, Facts};
use super::findings::{History, Selected, cluster, own_cluster};
use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::{Api, Index};
use etcdwatch_engine::v2;

/// The history of each API that is on. `took` is the time between the answers `before` and `after`.
#[must_use]
pub fn sampled(
    before: &[Facts],
    after: &[Facts],
    took: Duration,
    http: &Http,
    endpoints: &[Endpoint],
) -> Vec<History> {
    let mut histories = Vec::new();
    let apis: [(Api, Selected); 2] = [(Api::V2, |known| &known.v2), (Api::V3, |known| &known.v3)];
    for (api, select) in apis {
        let (Some((_, first)), Some((place, last))) =
            (newest(before, select), newest(after, select))
        else {
            continue;
        };
        let (length, is_whole) = match api {
            Api::V2 => (v2::HISTORY.into(), false),
            Api::V3 => {
                let endpoint = endpoints.get(place);
                let oldest = endpoint.and_then(|one| facts::oldest_revision(http, one, last));
                let Some(oldest) = oldest else { continue };
                (last.since(oldest) + 1, oldest <= Index(1))
            }
        };
        #[allow(
            clippy::cast_precision_loss,
            reason = "the rate is an estimate, and an f64 is exact up to 2^53"
        )]
        let rate = last.since(first) as f64 / took.as_secs_f64().max(0.001);
        histories.push(History {
            api,
            length,
            is_whole,
            rate,
        });
    }
    histories
}

/// The highest index of the cluster, and the place of an endpoint that has it.
fn newest(facts: &[Facts], select: Selected) -> Option<(usize, Index)> {
    let own = own_cluster(facts);
    let known = facts.iter().enumerate().filter_map(|(place, facts)| {
        let known = facts.known.as_ref().ok()?;
        let index = select(known).member()?.index;
        (cluster(known) == own).then_some((place, index))
    });
    known.max_by_key(|(_, index)| *index)
}
