//! Values that together exceed `--buffer`.

use crate::support::shared;
use crate::support::v3;

/// The second message of history may have passed over an event, so that its events wait until the server
/// has answered whether history is whole. They fill the buffer meanwhile.
#[test]
fn a_replay_of_large_values_ends_though_the_buffer_is_full_while_history_is_checked() {
    const SMALL: usize = 990;
    const LARGE: usize = 30;
    let cluster = shared::any();
    let key = cluster.key("large");
    for _ in 0..SMALL {
        v3::put(&cluster.url(), &key, b"small");
    }
    let large = vec![b'x'; 300_000];
    for _ in 0..LARGE {
        v3::put(&cluster.url(), &key, &large);
    }
    let replay = ["replay", &key, "--from-index", "1", "--buffer", "4MiB"];
    let options = ["--api", "v3", "--timeout", "60s"];
    let output = cluster.tool(&[&options[..], &replay[..]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.stdout.lines().count(), SMALL + LARGE);
}
