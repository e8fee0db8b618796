//! Authoritative DNS: answers, transfers, updates.
//!
//! Knows nothing of claims: what there is to say comes by the trait `Directory`.
