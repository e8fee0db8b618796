//! The local socket: how programs on the box itself ask the running `stbcastd`.
//!
//! Lines of JSON, at most 4 KiB each. The box speaks first: `{"v":1,"product":"stbcastd","version":"…"}`. Then one
//! request line at a time, each answered by any number of lines and a last one with `"done"`:
//!
//! ```text
//!   {"cmd":"status"}                                    {"done":true,…}
//!   {"cmd":"channels"}                                  {"channel":{…}} … {"done":true}
//!   {"cmd":"link","channel":1,"ttl":3600,"connections":2,"all":false}
//!                                                       {"url":"http://…"} … {"done":true}
//!   anything wrong                                      {"done":false,"error":"a sentence"}
//! ```
//!
//! A link with channel 0 is for the list and every channel. Only root and the user that `stbcastd` runs as may connect.

pub mod client;
pub mod protocol;
pub mod server;
