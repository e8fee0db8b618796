//! The box's list for players, with our URLs in place of its own and none of its tokens.

use super::target::Live;

/// `list` with each entry's URL below `base`. Lines that are neither of the list's own form nor of a channel are left
/// out: players take orders from such lines.
pub(super) fn rewritten(list: &str, base: &str) -> String {
    let mut text = String::from("#EXTM3U\n");
    let mut about = None;
    for line in list.lines() {
        if line.starts_with("#EXTINF:") {
            about = Some(line);
        } else if let (Some(about), Some(live)) = (about.take(), entry(line)) {
            text += &format!("{about}\n{base}{}\n", live.path());
        }
    }
    text
}

/// The channel of `http://…/live/<number>.ts?name=…&t=…`.
fn entry(line: &str) -> Option<Live> {
    let (_, rest) = line.strip_prefix("http://")?.split_once('/')?;
    Live::parse(&format!("/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_ours_and_carry_no_token() {
        let list = "#EXTM3U\n#EXTINF:-1 tvg-chno=\"1\",中 One\nhttp://box:8800/live/1.ts?name=%E4%B8%AD%20One&t=SECRET\n\
                    #EXTVLCOPT:network-caching=1\n#EXTINF:-1,Two\r\nhttp://box:8800/live/2.ts?t=SECRET\r\n\
                    #EXTINF:-1,Evil\nfile:///etc/passwd\n#EXTINF:-1,Else\nhttp://box/other?t=SECRET\nhttp://box/live/3.ts\n";
        let expected = "#EXTM3U\n#EXTINF:-1 tvg-chno=\"1\",中 One\nhttp://127.0.0.1:5/S/live/1.ts?name=%E4%B8%AD%20One\n\
                        #EXTINF:-1,Two\nhttp://127.0.0.1:5/S/live/2.ts\n";
        assert_eq!(rewritten(list, "http://127.0.0.1:5/S"), expected);
        assert_eq!(rewritten("", "x"), "#EXTM3U\n");
    }

    proptest::proptest! {
        #[test]
        fn every_url_is_below_the_base(list in "((#EXTINF:\\PC{0,20}|http://\\PC{0,30}|http://a/live/[0-9]{1,3}.ts\\PC{0,10})\n){0,9}") {
            for line in rewritten(&list, "http://127.0.0.1:5/S").lines().filter(|line| !line.starts_with('#')) {
                proptest::prop_assert!(line.starts_with("http://127.0.0.1:5/S/live/"), "{line}");
            }
        }
    }
}
