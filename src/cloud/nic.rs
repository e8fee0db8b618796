//! `GET /nic/update`: the protocol of dyndns2, which routers and their clients speak.
//!
//! One word a host name, with the address where it was taken. Who asks proves to have a name by Basic: the name and the
//! password that is derived from its secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::http::{Request, fields};

/// Host names in one update: ours have one owner each.
const HOSTS_MAX: usize = 8;

/// What an update asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
    pub(super) hosts: Vec<String>,
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
    /// Neither was told: the source counts.
    pub(super) is_offline: bool,
}

/// The words of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Updated.
    Good,
    /// It was so already.
    NoChange,
    /// Not the name of who asks, or of nobody.
    NoHost,
    /// No name of a zone of ours.
    NotFqdn,
    /// Wrong name or password.
    BadAuth,
    /// Too many host names.
    NumHost,
    /// Suspended, or an address that nobody has on the internet.
    Abuse,
    /// Something is wrong here: half an hour later it may work.
    NineOneOne,
}

impl Word {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NoChange => "nochg",
            Self::NoHost => "nohost",
            Self::NotFqdn => "notfqdn",
            Self::BadAuth => "badauth",
            Self::NumHost => "numhost",
            Self::Abuse => "abuse",
            Self::NineOneOne => "911",
        }
    }
}

/// Reads a request.
pub(super) fn parse(request: &Request) -> Result<Asked, Word> {
    let (user, password) = credentials(request.authorization.as_deref()).ok_or(Word::BadAuth)?;
    let mut asked = Asked { user, password, hosts: Vec::new(), v4: None, v6: None, is_offline: false };
    let mut told = false;
    for (name, value) in fields(&request.query) {
        match name.as_str() {
            "hostname" | "host" => {
                asked.hosts = value
                    .split(',')
                    .map(|host| host.trim().trim_end_matches('.').to_ascii_lowercase())
                    .collect();
            }
            "myip" | "myipv6" | "ip" | "ipv6" => {
                for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
                    told = true;
                    // A word that is no address is none of ours to publish.
                    match text.parse::<IpAddr>().map_err(|_| Word::Abuse)?.to_canonical() {
                        IpAddr::V4(ip) => asked.v4 = Some(ip),
                        IpAddr::V6(ip) => asked.v6 = Some(ip),
                    }
                }
            }
            "offline" => asked.is_offline = value.eq_ignore_ascii_case("yes"),
            _ => {}
        }
    }
    if !told && !asked.is_offline {
        match request.from.ip().to_canonical() {
            IpAddr::V4(ip) => asked.v4 = Some(ip),
            IpAddr::V6(ip) => asked.v6 = Some(ip),
        }
    }
    match asked.hosts.len() {
        0 => Err(Word::NotFqdn),
        1..=HOSTS_MAX => Ok(asked),
        _ => Err(Word::NumHost),
    }
}

/// RFC 7617.
fn credentials(field: Option<&str>) -> Option<(String, Zeroizing<String>)> {
    let (scheme, text) = field?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || text.len() > 512 {
        return None;
    }
    let bytes = Zeroizing::new(Base64::decode_vec(text.trim()).ok()?);
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((user.trim_end_matches('.').to_ascii_lowercase(), Zeroizing::new(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;

    use super::*;

    fn request(query: &str, authorization: Option<&str>) -> Request {
        Request {
            method: hyper::Method::GET,
            path: "/nic/update".into(),
            query: query.into(),
            authorization: authorization.map(Into::into),
            body: Bytes::new(),
            from: "192.0.1.9:4000".parse().unwrap(),
            is_private: true,
        }
    }

    #[test]
    fn what_clients_send_is_understood() {
        let basic = Some("Basic YWxpY2U6c2VjcmV0"); // alice:secret
        let asked = |query: &str| parse(&request(query, basic));
        let whole = asked("system=dyndns&hostname=Alice.box.test.&myip=192.0.1.7&wildcard=OFF").unwrap();
        assert_eq!((whole.user.as_str(), whole.password.as_str()), ("alice", "secret"));
        assert_eq!(
            (whole.hosts, whole.v4, whole.v6),
            (vec!["alice.box.test".into()], Some([192, 0, 1, 7].into()), None)
        );
        let both = asked("hostname=a&myip=192.0.1.7,2001:db8::1").unwrap();
        assert_eq!((both.v4.is_some(), both.v6.is_some()), (true, true));
        let six = asked("hostname=a&myipv6=2001:db8::1").unwrap();
        assert_eq!((six.v4, six.v6.is_some()), (None, true));
        assert_eq!(asked("hostname=a").unwrap().v4, Some([192, 0, 1, 9].into()), "the source");
        assert!(asked("hostname=a&offline=YES").unwrap().is_offline);
        assert_eq!(asked("hostname=a&myip=999.1.1.1"), Err(Word::Abuse));
        assert_eq!(asked("myip=1.2.3.4"), Err(Word::NotFqdn));
        assert_eq!(asked("hostname=a,b,c,d,e,f,g,h,i"), Err(Word::NumHost));
        for wrong in
            [None, Some("Basic"), Some("Basic !!!"), Some("Basic YWxpY2U="), Some("Bearer YWxpY2U6c2VjcmV0")]
        {
            assert_eq!(parse(&request("hostname=a", wrong)), Err(Word::BadAuth), "{wrong:?}");
        }
    }
}
