//! The box's name: claims it, keeps it alive by a heartbeat, tells other providers.
//!
//! Knows nothing of the HTTP server and of streams.

pub mod claim;
pub mod heartbeat;
pub mod record;
