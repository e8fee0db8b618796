//! stbcast: live television from a set-top box to its owner's phone.
//!
//! Two one-way streets, and what they stand on:
//!
//! ```text
//!   data     source ─▶ demux ─▶ service ─▶ pump ─▶ socket
//!   control  http ─▶ api ─▶ pairing ─▶ access ─▶ channel ─▶ tuner
//!            scan ─▶ channel, tuner                 which muxes there are, and what is in them
//!   names    api ─▶ ddns ─▶ fetch ─▶ tls          the box tells its name service where it is; its owner claims it
//!            cloud ─▶ nameserver, registrar         the name service: who has which name, and the DNS
//!   ground   ts   rap   ring   guide   text   delivery   handshake   registration   resolver   reactor   store   board   sys
//! ```
//!
//! No arrow runs back; `tests/layering.rs` holds who may use whom. All of the box runs on one thread that sleeps only
//! in the reactor. Control runs as tasks; data does not: the main loop of [`daemon`] drains the inputs and serves the
//! viewers at each tick, without a task, without a queue and without an allocation.
//!
//! | module | owns | must not know |
//! |---|---|---|
//! | [`source`] | reading a mux at its pace: UDP, the filters behind a tuner, files | services, rings, viewers |
//! | [`demux`] | routes by PID, section filters | rings, what tables mean |
//! | [`service`] | one service's ring: its PSI/SI, its places to start | sources, readers |
//! | [`pump`] | viewers' sockets and positions | HTTP, rights, tuners |
//! | [`hls`] | who watches by HLS, and the text of playlists | HTTP, rights, tuners |
//! | [`http`] | requests, replies, limits | routes |
//! | [`api`] | routes and wording | keys, tuning |
//! | [`web`] | the web app: the files that browsers load | this box |
//! | [`pairing`] | the window in which a terminal is let in, attempts, public-key work | HTTP, JSON, who was let in |
//! | [`access`] | the box's keys, who was let in, tokens, every check of a right | HTTP, streams |
//! | [`channel`] | the channel table | who asks |
//! | [`scan`] | what is visited to find muxes, and what came of it | who asks, files |
//! | [`import`] | programme lists of other systems, as entries | the channel table, files |
//! | [`tuner`] | open muxes, who gets which receiver, the pool of rings, leases | channels, people |
//! | [`guide`] | events and bouquets in fixed memory, what was read of their tables | muxes, channels, who asks |
//! | [`frontend`] | the process that drives a tuner and its dish, how long a lock may take | muxes, services, who wants what |
//! | [`delivery`] | how a mux is sent, which tuner of this machine and at what dish: values and text | devices, tables |
//! | [`ts`] | packets, sections, tables, clocks as bytes and values | everything above but [`delivery`] |
//! | [`rap`] | where a decoder can start, per codec | rings |
//! | [`ring`] | memory with positions | what is in it |
//! | [`handshake`] | what box and terminal prove to each other, both ends | windows, slots, HTTP |
//! | [`registration`] | what box and name service say to each other, both ends | tables, sockets |
//! | [`ddns`] | the box's name: claim, heartbeat, other providers | HTTP's server, streams |
//! | [`fetch`] | one HTTP request of the box and its answer | who asks |
//! | [`tls`] | TLS over any stream, the client's end | HTTP |
//! | [`resolver`] | the address of a host, by a DNS query of its own | who asks |
//! | [`registrar`] | claims, leases, whose name it is | DNS messages, sockets |
//! | [`nameserver`] | authoritative DNS: answers, transfers, updates | claims |
//! | [`cloud`] | `stbcast-cloud`: settings, sockets, administration | the box |
//! | [`network`] | what an address says: global or not, whose network | sockets |
//! | [`text`] | foreign text made harmless | where it is shown |
//! | [`reactor`] | epoll, timers, signals | tasks' business |
//! | [`store`] | records on flash, the process that writes them | what is in a record |
//! | [`local`] | the local socket: how the box's own programs ask | HTTP |
//! | [`status`] | how the box does: views, the main loop's latency, memory | who asks, where numbers come from |
//! | [`log_sink`] | where log lines go | who writes them |
//! | [`manifest`] | what a program file says of itself | who asks |
//! | [`daemon`] | `stbcastd`: command line, configuration, main loop | |
//! | [`terminal`] | `stbcast`: a terminal for a shell | the box's insides |
//! | [`board`] | the constants of the board this was built for | |
//! | [`sys`] | every `unsafe` block | transport streams |

// Test data is made by arithmetic whose results fit.
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod access;
pub mod api;
pub mod board;
pub mod channel;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod daemon;
pub mod ddns;
pub mod delivery;
pub mod demux;
pub mod fetch;
pub mod frontend;
pub mod guide;
pub mod handshake;
pub mod hls;
pub mod http;
pub mod import;
pub mod local;
pub mod log_sink;
pub mod manifest;
#[cfg(feature = "cloud")]
pub mod nameserver;
pub mod network;
pub mod pairing;
pub mod pump;
pub mod rap;
pub mod reactor;
#[cfg(feature = "cloud")]
pub mod registrar;
pub mod registration;
pub mod resolver;
pub mod ring;
pub mod scan;
pub mod service;
pub mod source;
pub mod status;
pub mod store;
pub mod sys;
#[cfg(feature = "cli")]
pub mod terminal;
pub mod text;
pub mod tls;
pub mod ts;
pub mod tuner;
pub mod web;
