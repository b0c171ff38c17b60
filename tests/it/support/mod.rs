//! What the tests stand on.
//!
//! | module | what it is for |
//! |---|---|
//! | [`etcd`] | real etcds, alone or as a cluster, that can be killed, stopped and wiped |
//! | [`certificates`] | who can be trusted, and who can't |
//! | [`v2`] | the writer whose acknowledged writes are the truth; it shares nothing with the tool |
//! | [`proxy`] | a network between tool and server that cuts, stalls, delays and trickles |
//! | [`scripted`] | a server that answers what real ones rarely do |
//! | [`shared`] | servers that tests share, a part for each test |
//! | [`tool`] | runs the binary: to its end, in the background, on a terminal |
//! | [`follow`] | a stream that is live, and what its consumer knows after its records |
//! | [`oracle`] | compares what the tool said with the truth |
//! | [`wait`] | waits for conditions, never for time |

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
