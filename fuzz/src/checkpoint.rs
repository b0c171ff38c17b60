//! Checkpoints: a file that is accepted is written back unchanged.

use etcdwatch::checkpoint::Checkpoint;

pub fn run(data: &[u8]) {
    let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(data) else {
        return;
    };
    let written = serde_json::to_vec(&checkpoint).expect("what was read can be written");
    let again: Checkpoint = serde_json::from_slice(&written).expect("and read");
    assert_eq!(again, checkpoint);
}
