//! The header fields of a request that mean something here.

use super::RequestError;

/// The fields of a head.
#[derive(Clone, Copy)]
pub(super) struct Fields<'h, 'b>(pub(super) &'h [httparse::Header<'b>]);

/// What a request says of itself beside its target.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'b> {
    /// `Authorization`, as sent.
    pub authorization: Option<&'b str>,
    /// `Origin`: the site whose page asks.
    pub origin: Option<&'b str>,
    /// `Sec-Fetch-Site`: how near that site is, as the browser sees it.
    pub fetch_site: Option<&'b str>,
    /// `Content-Type` without its parameters.
    pub content_type: Option<&'b str>,
    /// `If-None-Match`, as sent; the first, should there be two: the others would only save a transfer.
    if_none_match: Option<&'b str>,
    /// `Accept-Encoding` has `gzip`, or anything (RFC 9110 §12.5.3).
    pub accepts_gzip: bool,
    /// `Cookie`, as sent.
    cookies: Option<&'b str>,
    /// A field that must be there once was there twice or is no text: nothing of it counts.
    pub is_ambiguous: bool,
}

impl<'b> Said<'b> {
    /// The client has the representation with this entity tag (RFC 9110 §13.1.2: weak comparison).
    #[must_use]
    pub fn has(&self, etag: &str) -> bool {
        let tags = self.if_none_match.into_iter().flat_map(|tags| tags.split(','));
        tags.map(str::trim_ascii).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    }

    /// The value of a cookie, when it is there once: with two of a name nobody knows who set which.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'b str> {
        let pairs = self.cookies?.split(';').filter_map(|pair| pair.trim_ascii().split_once('='));
        let mut values = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

impl<'b> Fields<'_, 'b> {
    fn all(self, name: &str) -> impl Iterator<Item = &'b [u8]> + Clone {
        self.0.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    }

    /// The length of the body. RFC 9112 §6: what could be read in two ways is refused, whatever the method.
    pub(super) fn body_length(self, most: usize) -> Result<usize, RequestError> {
        let mut lengths = self.all("content-length");
        let codings = self.all("transfer-encoding").count();
        match (lengths.next(), lengths.next(), codings) {
            (None, None, 0) => Ok(0),
            (None, _, 1..) => Err(RequestError::TransferCoding),
            (Some(length), None, 0) if length.iter().all(u8::is_ascii_digit) && !length.is_empty() => {
                let length = std::str::from_utf8(length).ok().and_then(|l| l.parse().ok());
                length.filter(|l| *l <= most).ok_or(RequestError::Body)
            }
            _ => Err(RequestError::Framing),
        }
    }

    pub(super) fn host(self, needed: bool) -> Result<Option<&'b str>, RequestError> {
        let mut hosts = self.all("host");
        match (hosts.next().map(std::str::from_utf8), hosts.next()) {
            (None, _) if !needed => Ok(None),
            (Some(Ok(host)), None) if is_authority(host) => Ok(Some(host)),
            _ => Err(RequestError::Host),
        }
    }

    pub(super) fn keeps_alive(self, is_1_1: bool) -> bool {
        let says = |token: &[u8]| {
            let tokens = self.all("connection").flat_map(|v| v.split(|b| *b == b','));
            tokens.map(<[u8]>::trim_ascii).any(|t| t.eq_ignore_ascii_case(token))
        };
        if is_1_1 { !says(b"close") } else { says(b"keep-alive") }
    }

    pub(super) fn said(self) -> Said<'b> {
        let mut said = Said::default();
        let mut once = |name: &str| {
            let mut values = self.all(name);
            let value = values.next().map(std::str::from_utf8);
            said.is_ambiguous |= values.next().is_some() || matches!(value, Some(Err(_)));
            value.and_then(Result::ok)
        };
        let (authorization, origin, fetch_site) =
            (once("authorization"), once("origin"), once("sec-fetch-site"));
        let (content_type, cookies) = (once("content-type"), once("cookie"));
        let content_type = content_type.and_then(|t| t.split(';').next()).map(str::trim_ascii);
        let if_none_match = self.all("if-none-match").next().and_then(|tags| std::str::from_utf8(tags).ok());
        let accepts_gzip = self.accepts_gzip();
        Said { authorization, origin, fetch_site, content_type, if_none_match, accepts_gzip, cookies, ..said }
    }

    fn accepts_gzip(self) -> bool {
        let values = self.all("accept-encoding").filter_map(|value| std::str::from_utf8(value).ok());
        let weight = |wanted: &str| {
            values.clone().flat_map(|value| value.split(',')).find_map(|coding| {
                let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
                let weight = parameters.trim_ascii().strip_prefix("q=");
                let refused = weight.is_some_and(|q| q.bytes().all(|b| matches!(b, b'0' | b'.')));
                name.trim_ascii().eq_ignore_ascii_case(wanted).then_some(!refused)
            })
        };
        weight("gzip").or_else(|| weight("*")).unwrap_or(false)
    }
}

/// Letters that an authority has; user information is not among them.
fn is_authority(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:%~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<'b>(fields: &[(&'b str, &'b str)]) -> Said<'b> {
        let headers: Vec<_> =
            fields.iter().map(|&(name, value)| httparse::Header { name, value: value.as_bytes() }).collect();
        Fields(&headers).said()
    }

    #[test]
    fn a_cookie_counts_when_it_is_there_once() {
        let one = said(&[("Cookie", "a=1; stb=abc ;b=2")]);
        assert_eq!([one.cookie("stb"), one.cookie("a"), one.cookie("st")], [Some("abc"), Some("1"), None]);
        assert_eq!(said(&[("Cookie", "stb=1; stb=2")]).cookie("stb"), None);
        assert_eq!(said(&[("Cookie", "stb")]).cookie("stb"), None);
        assert!(said(&[("Cookie", "stb=1"), ("cookie", "stb=2")]).is_ambiguous);
    }

    #[test]
    fn what_the_client_has_is_found_in_a_list_of_tags() {
        for tags in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",W/\"a\" ", "*"] {
            assert!(said(&[("If-None-Match", tags)]).has("\"a\""), "{tags}");
        }
        for tags in ["", "a", "\"b\"", "\"ab\"", "w/\"a\"", "\"a"] {
            assert!(!said(&[("If-None-Match", tags)]).has("\"a\""), "{tags}");
        }
        assert!(!said(&[]).has("\"a\""));
    }

    #[test]
    fn gzip_is_accepted_where_it_is_said_to_be() {
        let accepts = |value| said(&[("Accept-Encoding", value)]).accepts_gzip;
        for yes in ["gzip", "deflate, GZIP;q=0.5", "br;q=1.0, gzip ; q=0.001", "*", "gzip;q=1, *;q=0"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "deflate, gzip; q=0.000", "*;q=0", "*, gzip;q=0", "xgzip"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!said(&[]).accepts_gzip);
        assert!(said(&[("Accept-Encoding", "br"), ("accept-encoding", "gzip")]).accepts_gzip);
    }

    #[test]
    fn fields_are_found_whatever_their_case() {
        let s = said(&[("ORIGIN", "http://a"), ("content-type", "application/json; charset=utf-8")]);
        assert_eq!((s.origin, s.content_type), (Some("http://a"), Some("application/json")));
        assert!(!s.is_ambiguous && said(&[("Origin", "a"), ("Origin", "b")]).is_ambiguous);
    }
}
