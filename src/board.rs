//! The facts of the board this was built for, as constants. No other module reads them from anywhere else.
//!
//! Made by `boards/build.rs` from `boards/<BOARD>.toml`; `BOARD=<name>` picks the board.

include!(concat!(env!("OUT_DIR"), "/board.rs"));
