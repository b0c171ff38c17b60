//! The test harness.
//!
//! | module | what it is for |
//! |---|---|
//! | [`etcd`] | real etcd servers, alone or as a cluster, that can be killed, paused and wiped |
//! | [`certificates`] | valid and invalid certificates |
//! | [`ports`] | ports that a server can have again after a restart |
//! | [`v2`] | a writer whose acknowledged writes are the truth; it shares no code with the tool |
//! | [`v3`] | the same over v3 |
//! | [`proxy`] | a network between tool and server that cuts, stalls, delays and trickles |
//! | [`scripted`] | a server whose replies real servers rarely send |
//! | [`shared`] | servers that tests share, with a directory for each test |
//! | [`tool`] | runs the binary: to its end, in the background, or on a terminal |
//! | [`follow`] | a live stream, and the state of a consumer of its records |
//! | [`oracle`] | compares the printed events with the truth |
//! | [`wait`] | waits for conditions, never for a fixed time |

pub mod certificates;
pub mod etcd;
pub mod follow;
pub mod oracle;
pub mod ports;
pub mod proxy;
pub mod scripted;
pub mod shared;
pub mod tool;
pub mod v2;
pub mod v3;
pub mod wait;
