//! TLS over any stream: the client's end.
//!
//! Knows nothing of HTTP.
