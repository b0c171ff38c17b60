//! How far back the histories reach, at the rate at which is written.

use std::time::Duration;

use super::facts::{self, Facts};
use super::findings::{History, Of, cluster, own_cluster};
use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::{Api, Index};
use etcdwatch_engine::v2;

/// How far back the history of each API reaches that the cluster has on. Between the two times that the
/// endpoints were asked, `took` has passed.
#[must_use]
pub fn sampled(
    before: &[Facts],
    after: &[Facts],
    took: Duration,
    http: &Http,
    endpoints: &[Endpoint],
) -> Vec<History> {
    let mut histories = Vec::new();
    let sides: [(Api, Of); 2] = [(Api::V2, |known| &known.v2), (Api::V3, |known| &known.v3)];
    for (api, side) in sides {
        let (Some((_, first)), Some((place, last))) = (newest(before, side), newest(after, side))
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
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no last digit")]
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

/// The highest index that an endpoint of the cluster knows, and the place of that endpoint.
fn newest(facts: &[Facts], side: Of) -> Option<(usize, Index)> {
    let own = own_cluster(facts);
    let known = facts.iter().enumerate().filter_map(|(place, facts)| {
        let known = facts.known.as_ref().ok()?;
        let index = side(known).side()?.index;
        (cluster(known) == own).then_some((place, index))
    });
    known.max_by_key(|(_, index)| *index)
}
