//! Faults while others write: nothing is lost silently, nothing comes twice, all in order, and
//! the consumer ends with the server's state.
//!
//! | room | what it is for |
//! |---|---|
//! | [`faults`] | what goes wrong, drawn from a seed |
//! | [`writers`] | who writes meanwhile, and what of it certainly happened |
//! | [`baselines`] | who watches: the tool, and `curl` and `etcdctl` beside it |
//! | [`api`] | by which API is written and watched |
//! | [`testbed`] | servers, and the course of a run |
//! | [`behind`] | the run in which a member catches up by a snapshot |
//! | [`store_replaced`] | the run in which the store is made anew |
//! | [`counts`] | what came of it, counted and in a table |
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
