//! HTTP/1.1 (RFC 9110, RFC 9112), as much as terminals need and no more.
//!
//! Owns request heads, replies, limits and the accept loop. Works over any byte stream; knows no route.

pub mod body;
pub mod connection;
mod fields;
pub mod gzip;
pub mod request;
pub mod seats;
pub mod server;
pub mod status;
pub mod wall;

pub use body::Body;
pub use connection::{Connection, Exchange, Keep, Page};
pub use fields::Said;
pub use request::{Method, Request, RequestError};
pub use status::Status;
