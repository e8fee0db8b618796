//! What a box and its name service say to each other, both ends of it.
//!
//! Owns bytes, keys and signatures, with no I/O, no clock and no randomness of its own. Knows nothing of tables and sockets.
