//! Claims and leases: whose name it is, and where that box is now.
//!
//! Logic without I/O, over a store behind a small trait. Knows nothing of DNS messages and of sockets.
