//! Checks whether a cluster can be watched reliably.
//!
//! [`facts`] asks the endpoints, [`history`] finds out how far back history reaches, [`findings`] names the
//! problems in the answers without I/O, and [`table`] prints the report.

pub mod facts;
pub mod findings;
pub mod history;
pub mod table;
