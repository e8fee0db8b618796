//! One HTTP/1.1 request of the box, and its bounded answer.
//!
//! Knows nothing of who asks.
