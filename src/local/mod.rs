//! The local socket: how programs on the box itself ask the running `stbcastd`, among them what draws the TV's screen.
//!
//! Lines of JSON, at most 4 KiB each. The box speaks first: `{"v":1,"product":"stbcastd","version":"…"}`. Then one
//! request line at a time, each answered by any number of lines and a last one with `"done"`:
//!
//! ```text
//!   {"cmd":"status"}                                    {"done":true,…}
//!   {"cmd":"channels"}                                  {"channel":{…}} … {"done":true}
//!   {"cmd":"events"}                                    {"done":true}, and then {"event":"…",…} as they happen
//!   {"cmd":"link","channel":1,"ttl":3600,"connections":2,"all":false,"recording":false}
//!                                                       {"url":"http://…"} … {"done":true}
//!   {"cmd":"pair","mode":"both","role":"viewer"}        {"pairing":{"link":"…","pin":"…","expires_s":300}}
//!                                                       {"qr":{"size":37,"rows":["1011…",…]}} {"done":true}
//!   {"cmd":"pair-close"}                                {"done":true}
//!   {"cmd":"answer","ask":7,"allow":true}               {"done":true}
//!   {"cmd":"terminals"}                                 {"terminal":{…}} … {"done":true}
//!   {"cmd":"rename","slot":3,"name":"…"}                {"done":true}
//!   {"cmd":"revoke","slot":3}  {"cmd":"revoke-all"}     {"done":true}
//!   {"cmd":"player","name":"…"}                         {"slot":4,"url":"…"} {"done":true}
//!   {"cmd":"factory-reset"}  {"cmd":"commit"}           {"done":true}
//!   {"cmd":"name"}                                      {"name":{"state":"online",…}} {"done":true}
//!   {"cmd":"name-claim","name":"alice"}                 {"claimed":{"name":"…","recovery":"…"}} {"done":true}
//!   {"cmd":"name-suggest"}                              {"suggestion":"…"} {"done":true}
//!   {"cmd":"name-key"}                                  {"key":"…"} {"done":true}
//!   {"cmd":"name-handover","key":"…"}                   {"handover":"…"} {"done":true}
//!   {"cmd":"name-recovery"}                             {"recovery":"…"} {"done":true}, once
//!   {"cmd":"name-cancel-move"}  {"cmd":"name-release"}  {"done":true}
//!   anything wrong                                      {"done":false,"error":"a sentence"}
//! ```
//!
//! A link with channel 0 is for the list and every channel. A guest is let in by `pair` with `"for_s"`, its seconds, and
//! perhaps `"channels"`. Events: `pairing-opened`, `pairing-closed`, `pin`, `ask`, `paired`, `pair-failed`, `revoked`,
//! `viewers`, `ended`, `name`, `name-claimed`, `name-refused`, `name-moving`; what may be in them stands at [`protocol::EventLine`]. A peer that does not read them is dropped.
//!
//! Root, the user that `stbcastd` runs as and members of the group `control` may ask all of this; members of the group
//! `view` may see status, channels and events without secrets.

pub mod client;
pub mod hub;
pub mod protocol;
pub mod server;
