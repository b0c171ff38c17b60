//! Faults while others write. Events arrive once and in order, or a gap is declared, and a consumer
//! of the records ends with the server's state.
//!
//! | module | what it is for |
//! |---|---|
//! | [`faults`] | the faults, drawn from a seed |
//! | [`writers`] | concurrent writers, and which of their writes certainly happened |
//! | [`watchers`] | the tool, and `curl` and `etcdctl` as baselines |
//! | [`api`] | the API that is written to and watched |
//! | [`testbed`] | the servers, and how a run proceeds |
//! | [`follower_behind`] | the scenario in which a follower catches up from a snapshot |
//! | [`store_replaced`] | the scenario in which the store is replaced |
//! | [`counts`] | the result of a run, counted and as a table |
//! | [`suite`] | the tests, and the soak that `tests/soak.sh` runs |

mod api;
mod counts;
mod faults;
mod follower_behind;
mod store_replaced;
mod suite;
mod testbed;
mod watchers;
mod writers;
