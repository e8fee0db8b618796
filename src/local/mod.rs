//! The local socket: how programs on the box itself ask the running `stbcastd`, among them what draws the TV's screen.
//!
//! Lines of JSON, at most 4 KiB each. The box speaks first: `{"v":1,"product":"stbcastd","version":"…"}`. Then one
//! request line at a time, each answered by any number of lines and a last one with `"done"`:
//!
//! ```text
//!   {"cmd":"status"}                                    {"done":true,…}
//!   {"cmd":"top"}                                       {"mux":{…}} {"ring":{…}} {"viewer":{…}} … {"box":{…}} {"done":true}
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
//!   {"cmd":"scan","muxes":"dvb-t:474000000 …"}          {"done":true}; "range":"dvb-t", "known":true, "more":true
//!   {"cmd":"scan-stop"}  {"cmd":"scan-resume"}          {"done":true}
//!   {"cmd":"scan-status"}                               {"scan":{"state":"running","percent":42,…}} {"done":true}
//!   {"cmd":"factory-reset"}  {"cmd":"commit"}           {"done":true}
//!   {"cmd":"name"}                                      {"name":{"state":"online",…}} {"done":true}
//!   {"cmd":"name-claim","name":"alice"}                 {"claimed":{"name":"…","recovery":"…"}} {"done":true}
//!   {"cmd":"name-suggest"}                              {"suggestion":"…"} {"done":true}
//!   {"cmd":"name-key"}                                  {"key":"…"} {"done":true}
//!   {"cmd":"name-handover","key":"…"}                   {"handover":"…"} {"done":true}
//!   {"cmd":"name-recovery"}                             {"recovery":"…"} {"done":true}, once
//!   {"cmd":"name-cancel-move"}  {"cmd":"name-release"}  {"done":true}
//!   {"cmd":"tuners"}                                    {"tuner":{"number":0,"state":"locked",…}} … {"done":true}
//!   {"cmd":"tuner-grant","tuner":0}                     {"done":true}
//!   {"cmd":"tuner-withdraw","tuner":0}                  {"done":true}, once its frontend is closed
//!   anything wrong                                      {"done":false,"error":"a sentence"}
//! ```
//!
//! A link with channel 0 is for the list and every channel; one with `"recording":true` is a recorder's, which gets a
//! tuner before people who watch. A guest is let in by `pair` with `"for_s"`, its seconds, and perhaps `"channels"`.
//!
//! **Events**: `pairing-opened`, `pairing-closed`, `pin`, `ask`, `paired`, `pair-failed`, `revoked`, `viewers`, `ended`,
//! `tuner`, `tuner-ask`, `tuner-asked`, `tuner-back`, `tv-moved`, `scan`, `name`, `name-claimed`, `name-refused`,
//! `name-moving`; what may be in them stands at [`protocol::EventLine`]; of `top` at
//! [`protocol::Item`]. A peer that does not read them is dropped.
//!
//! **Scans**: `scan` begins one with `"muxes"` (as texts, blanks between them), `"range"` (`dvb-t`, `dvb-t2`, `dtmb`,
//! `dvb-c`) or `"known":true`, or adds those to the one that runs; `"more":true` says that another such line comes.
//! `scan` is told as it goes, once a second, and at its end.
//!
//! **Tuners** belong to the program that draws the screen, unless `tuner-owner` is `box`. The box then opens a frontend
//! for reading alone and serves what the television is on; when that goes elsewhere, `tv-moved` is told and those
//! streams end. The box tunes what is granted to it:
//!
//! * `tuner-grant`: the box may open the frontend for writing, until this conversation takes it back by
//!   `tuner-withdraw`, or ends: its streams end, and the frontend is closed. So the conversation is to be kept, and is
//!   not dropped for saying nothing. Close your own frontend first.
//! * `tuner-ask` is the question of a phone for the tuner `tuner`: who (`name`, `slot`), for which channel (`channel`,
//!   `channel_name`), what would end (`ends`: `television`, `recording`, `viewers`, `scan`, `guide` or `nothing`). It is
//!   answered by `answer` within `expires_s`; no answer is a no, and is followed by a minute without questions. To
//!   allow it: close the frontend, then answer; the answer has a line `{"granted":0}` before its last, and from then on
//!   this conversation grants that tuner. `tuner-asked` tells that a question is over (`allowed`, `refused`,
//!   `no-answer`), `tuner-back` that the phone did not come and the tuner is not granted any more.
//!
//! Root, the user that `stbcastd` runs as and members of the group `control` may ask all of this; members of the group
//! `view` may see status, channels, tuners and events without secrets.

pub mod client;
pub mod hub;
pub mod protocol;
pub mod server;
