//! Who may what: each route with each who asks.

/// Who asks, in the order of the table's columns.
pub(super) const WHO: [&str; 12] = [
    "a stranger",
    "a viewer by cookie",
    "a viewer by bearer",
    "a viewer's link",
    "a viewer's link for channel 1",
    "a guest of channel 1 by cookie",
    "a guest of channel 1 by bearer",
    "an owner by cookie",
    "an owner by bearer",
    "a player",
    "the box's link",
    "the box's link for channel 1",
];

/// Method, pattern, path, body, and the status for each of [`WHO`].
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

pub(super) const NO_BODY: &str = "";
pub(super) const UNKNOWN_CODE: &str = r#"{"code":"AAAAAAAAAAAAAAAAAAAAAA"}"#;
pub(super) const PLAYER: &str = r#"{"role":"player","name":"Kodi"}"#;
pub(super) const NAME: &str = r#"{"name":"New"}"#;
pub(super) const NO_LOCK: &str = r#"{"age":null}"#;
pub(super) const LINK: &str = r#"{"channel":1,"ttl":60,"connections":1}"#;
pub(super) const SUGGEST: &str = r#"{"cmd":"suggest"}"#;
pub(super) const HELLO: &str = r#"{"mode":"qr","nonce":"AAAAAAAAAAAAAAAAAAAAAA","name":"x"}"#;
pub(super) const FINISH: &str =
    r#"{"attempt":"AAAAAAAAAAAAAAAAAAAAAA","proof":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
pub(super) const SHARE: &str = r#"{"attempt":"AAAAAAAAAAAAAAAAAAAAAA","share":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;

/// Slot 0 is the owner's, 1 the viewer's, 2 the guest's; nobody is in 31. A stream's `v` has each end the one before.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    //                                                                                       stranger| viewer          | guest   | owner   |player| box
    ("GET",    "/api/v1/box",                  "/api/v1/box",                  NO_BODY,      "200    | 200 200 200 200 | 200 200 | 200 200 | 200 | 200 200"),
    ("GET",    "/api/v1/channels",             "/api/v1/channels",             NO_BODY,      "401    | 200 200 200 403 | 200 200 | 200 200 | 200 | 200 403"),
    ("POST",   "/api/v1/channels/*/ask",       "/api/v1/channels/1/ask",       NO_BODY,      "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/channels/*/ask",       "/api/v1/channels/2/ask",       NO_BODY,      "401    | 200 200 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/channels/*/ask",       "/api/v1/channels/999/ask",     NO_BODY,      "401    | 404 404 403 403 | 403 403 | 404 404 | 403 | 403 403"),
    ("GET",    "/api/v1/epg",                  "/api/v1/epg",                  NO_BODY,      "401    | 200 200 200 403 | 200 200 | 200 200 | 200 | 200 403"),
    ("GET",    "/api/v1/epg",                  "/api/v1/epg?channel=2",        NO_BODY,      "401    | 200 200 200 403 | 403 403 | 200 200 | 200 | 200 403"),
    ("GET",    "/api/v1/ended",                "/api/v1/ended?v=nobody",       NO_BODY,      "401    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "/api/v1/ended",                "/api/v1/ended",                NO_BODY,      "401    | 400 400 400 400 | 400 400 | 400 400 | 400 | 400 400"),
    ("GET",    "/xmltv.xml",                   "/xmltv.xml",                   NO_BODY,      "401    | 200 200 200 403 | 200 200 | 200 200 | 200 | 200 403"),
    ("GET",    "/xmltv.xml",                   "/xmltv.xml?channel=2",         NO_BODY,      "401    | 200 200 200 403 | 403 403 | 200 200 | 200 | 200 403"),
    ("GET",    "/api/v1/events",               "/api/v1/events",               NO_BODY,      "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("GET",    "/api/v1/status",               "/api/v1/status",               NO_BODY,      "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("GET",    "/playlist.m3u",                "/playlist.m3u",                NO_BODY,      "401    | 200 200 200 403 | 200 200 | 200 200 | 200 | 200 403"),
    ("GET",    "/live/*.ts",                   "/live/1.ts?v=t",               NO_BODY,      "401    | 200 200 200 200 | 200 200 | 200 200 | 200 | 200 200"),
    ("GET",    "/live/*.ts",                   "/live/2.ts?v=t",               NO_BODY,      "401    | 200 200 200 403 | 403 403 | 200 200 | 200 | 200 403"),
    ("GET",    "/live/*.ts",                   "/live/999.ts?v=t",             NO_BODY,      "401    | 404 404 404 403 | 403 403 | 404 404 | 404 | 404 403"),
    ("GET",    "/logo/*",                      "/logo/1",                      NO_BODY,      "401    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "/logo/*",                      "/logo/2",                      NO_BODY,      "401    | 404 404 404 403 | 403 403 | 404 404 | 404 | 404 403"),
    ("GET",    "/live/*/index.m3u8",           "/live/2/index.m3u8?v=t",       NO_BODY,      "401    | -   -   -   403 | 403 403 | -   -   | -   | -   403"), // the others wait for pieces
    ("GET",    "/live/*/index.m3u8",           "/live/999/index.m3u8?v=t",     NO_BODY,      "401    | 404 404 404 403 | 403 403 | 404 404 | 404 | 404 403"),
    ("GET",    "/hls/*.m3u8",                  "/hls/1.m3u8",                  NO_BODY,      "401    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "/hls/*.ts",                    "/hls/1-1.ts",                  NO_BODY,      "401    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "/api/v1/session",              "/api/v1/session",              NO_BODY,      "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/session",              "/api/v1/session",              NO_BODY,      "401    | 401 401 401 401 | 401 401 | 401 401 | 401 | 401 401"),
    ("DELETE", "/api/v1/session",              "/api/v1/session",              NO_BODY,      "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/session/handover",     "/api/v1/session/handover",     "{}",         "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/session/redeem",       "/api/v1/session/redeem",       UNKNOWN_CODE, "401    | 401 401 401 401 | 401 401 | 401 401 | 401 | 401 401"),
    ("GET",    "/api/v1/terminals",            "/api/v1/terminals",            NO_BODY,      "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/terminals",            "/api/v1/terminals",            PLAYER,       "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("PATCH",  "/api/v1/terminals/*",          "/api/v1/terminals/0",          NAME,         "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("PATCH",  "/api/v1/terminals/*",          "/api/v1/terminals/1",          NAME,         "401    | 200 200 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("PATCH",  "/api/v1/terminals/*",          "/api/v1/terminals/2",          NAME,         "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("PATCH",  "/api/v1/terminals/*",          "/api/v1/terminals/31",         NAME,         "401    | 403 403 403 403 | 403 403 | 404 404 | 403 | 403 403"),
    ("DELETE", "/api/v1/terminals/*",          "/api/v1/terminals/31",         NO_BODY,      "401    | 403 403 403 403 | 403 403 | 404 404 | 403 | 403 403"),
    ("DELETE", "/api/v1/terminals/*",          "/api/v1/terminals/255",        NO_BODY,      "401    | 403 403 403 403 | 403 403 | 404 404 | 403 | 403 403"),
    ("POST",   "/api/v1/links",                "/api/v1/links",                LINK,         "401    | 200 200 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("GET",    "/api/v1/name",                 "/api/v1/name",                 NO_BODY,      "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/name",                 "/api/v1/name",                 SUGGEST,      "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("GET",    "/api/v1/parental",             "/api/v1/parental",             NO_BODY,      "401    | 200 200 403 403 | 200 200 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/parental",             "/api/v1/parental",             NO_LOCK,      "401    | 403 403 403 403 | 403 403 | 200 200 | 403 | 403 403"),
    ("POST",   "/api/v1/parental/unlock",      "/api/v1/parental/unlock",      "{}",         "401    | 400 400 403 403 | 403 403 | 400 400 | 403 | 403 403"),
    ("POST",   "/api/v1/pair/hello",           "/api/v1/pair/hello",           HELLO,        "404    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("POST",   "/api/v1/pair/share",           "/api/v1/pair/share",           SHARE,        "404    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("POST",   "/api/v1/pair/finish",          "/api/v1/pair/finish",          FINISH,       "404    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "nothing",                      "/app",                         NO_BODY,      "404    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    ("GET",    "nothing",                      "/api/v1",                      NO_BODY,      "404    | 404 404 404 404 | 404 404 | 404 404 | 404 | 404 404"),
    // These end the table: who asks last may.
    ("POST",   "/api/v1/terminals/revoke-all", "/api/v1/terminals/revoke-all", "{}",         "401    | 403 403 403 403 | 403 403 | -   -   | 403 | 403 403"),
    ("DELETE", "/api/v1/terminals/*",          "/api/v1/terminals/1",          NO_BODY,      "401    | -   -   403 403 | 403 403 | -   -   | 403 | 403 403"),
    ("DELETE", "/api/v1/terminals/*",          "/api/v1/terminals/0",          NO_BODY,      "401    | 403 403 403 403 | 403 403 | -   -   | 403 | 403 403"),
];

/// What differs while pairing is open.
#[rustfmt::skip]
pub(super) const OPEN: &[Row] = &[
    ("POST",   "/api/v1/pair/hello",           "/api/v1/pair/hello",           HELLO,        "200    | 200 200 200 200 | 200 200 | 200 200 | 200 | 200 200"),
];
