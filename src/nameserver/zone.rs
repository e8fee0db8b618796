//! A zone's settings and what they put into it: SOA, NS and the records that belong to no box.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use domain::base::iana::Rtype;
use domain::base::rdata::ComposeRecordData;
use domain::base::scan::IterScanner;
use domain::base::{Name, RelativeName};
use domain::rdata::ZoneRecordData;

/// Seconds that static records live in caches, where their line does not say.
const STATIC_TTL: u32 = 3600;
/// Static records of a zone at most.
const RECORDS_MAX: usize = 1000;
/// Types that would change what is below them, or that are made here.
const NOT_STATIC: &[Rtype] = &[Rtype::SOA, Rtype::NS, Rtype::CNAME, Rtype::DNAME, Rtype::DS];

/// What the operator says of a zone.
#[derive(Clone, Debug, Default)]
pub struct ZoneSettings {
    /// The zone's name, such as `box.test`.
    pub apex: String,
    /// The host that has the zone first (SOA MNAME); empty: the first of `ns`.
    pub mname: String,
    /// Who is in charge (SOA RNAME), as a name or an address of mail; empty: `hostmaster` in the zone.
    pub rname: String,
    /// Hosts of the NS records, at least one.
    pub ns: Vec<String>,
    /// Records of the zone itself: `ns1 A 192.0.2.1`, `@ CAA 0 issue "ca.example"`, `hb1 300 AAAA 2001:db8::1`. The
    /// first name is relative to the zone unless it ends in a dot; names behind the type are always whole.
    pub records: Vec<String>,
}

/// What is wrong with a zone's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Not a domain name.
    Name(String),
    /// A zone without an NS record.
    NoNs(String),
    /// Not a record as in a zone file.
    Record(String),
    /// A record that is not in the zone.
    Outside(String),
    /// A type that cannot be set, or only by other settings.
    Type(String),
    /// More records than the zone can have.
    TooMany(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "'{name}' is no domain name"),
            Self::NoNs(apex) => write!(f, "zone {apex} has no name server"),
            Self::Record(line) => write!(f, "'{line}' is no record: write NAME [TTL] TYPE DATA"),
            Self::Outside(line) => write!(f, "'{line}' is not in the zone"),
            Self::Type(line) => write!(f, "'{line}': records of this type cannot be set here"),
            Self::TooMany(apex) => write!(f, "zone {apex} has more than {RECORDS_MAX} records"),
        }
    }
}

impl std::error::Error for RecordError {}

/// A zone as it is served: all of it that belongs to no box.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The apex, in lower case, on the wire.
    apex: Box<[u8]>,
    /// SOA RDATA up to the serial: MNAME, RNAME.
    mname: Box<[u8]>,
    rname: Box<[u8]>,
    /// By relative name on the wire; the apex is empty. Empty non-terminals are there, without records.
    nodes: HashMap<Box<[u8]>, Vec<Record>>,
    /// Relative names of NS hosts in the zone.
    glue: Vec<Box<[u8]>>,
}

/// A record of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Its data as on the wire, names in full.
    pub data: Box<[u8]>,
}

impl Zone {
    /// Checks the settings.
    pub fn new(settings: &ZoneSettings) -> Result<Self, RecordError> {
        let apex = name(&settings.apex)?;
        let first = settings.ns.first().ok_or_else(|| RecordError::NoNs(settings.apex.clone()))?;
        let mname = name(if settings.mname.is_empty() { first } else { &settings.mname })?;
        let rname = match settings.rname.as_str() {
            "" => name(&format!("hostmaster.{}", settings.apex))?,
            mail => name(&mail.replacen('@', ".", 1))?,
        };
        if settings.records.len() + settings.ns.len() > RECORDS_MAX {
            return Err(RecordError::TooMany(settings.apex.clone()));
        }
        let mut zone = Self { apex, mname, rname, nodes: HashMap::new(), glue: Vec::new() };
        for host in &settings.ns {
            let data = name(host)?;
            if let Some(inside) = zone.relative(&data) {
                zone.glue.push(inside.into());
            }
            zone.add(&[], Record { rtype: Rtype::NS.to_int(), ttl: STATIC_TTL, data });
        }
        for line in &settings.records {
            let (owner, record) = zone.parse(line)?;
            zone.add(&owner, record);
        }
        Ok(zone)
    }

    /// The apex in lower case, as on the wire.
    #[must_use]
    pub fn apex(&self) -> &[u8] {
        &self.apex
    }

    /// The SOA's MNAME as on the wire.
    #[must_use]
    pub(super) fn mname(&self) -> &[u8] {
        &self.mname
    }

    /// The SOA's RNAME as on the wire.
    #[must_use]
    pub(super) fn rname(&self) -> &[u8] {
        &self.rname
    }

    /// The records at a name relative to the apex, in lower case, as on the wire without the root; `None`: the settings
    /// have no such name.
    #[must_use]
    pub(super) fn node(&self, relative: &[u8]) -> Option<&[Record]> {
        self.nodes.get(relative).map(Vec::as_slice)
    }

    /// All names of the settings with their records, the apex included.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&[u8], &[Record])> {
        self.nodes.iter().map(|(name, records)| (&**name, records.as_slice()))
    }

    /// Relative names of the NS hosts that are in the zone.
    pub(super) fn glue(&self) -> impl Iterator<Item = &[u8]> {
        self.glue.iter().map(|name| &**name)
    }

    /// What of `name`, in lower case on the wire, stands before the apex; `None`: it is not in this zone.
    #[must_use]
    pub(super) fn relative<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let split = name.len().checked_sub(self.apex.len())?;
        if name.get(split..)? != &*self.apex {
            return None;
        }
        let mut at = 0;
        while at < split {
            at += 1 + usize::from(*name.get(at)?);
        }
        if at == split { name.get(..split) } else { None }
    }

    fn add(&mut self, owner: &[u8], record: Record) {
        // From RFC 8020: a name exists when there is one below it.
        let mut rest = owner;
        while let Some((&length, tail)) = rest.split_first() {
            self.nodes.entry(rest.into()).or_default();
            rest = tail.get(usize::from(length)..).unwrap_or_default();
        }
        let node = self.nodes.entry(owner.into()).or_default();
        if !node.contains(&record) {
            node.push(record);
        }
    }

    /// `NAME [TTL] TYPE DATA`.
    fn parse(&self, line: &str) -> Result<(Vec<u8>, Record), RecordError> {
        let wrong = || RecordError::Record(line.to_owned());
        let mut words = words(line).ok_or_else(wrong)?.into_iter().peekable();
        let owner = words.next().ok_or_else(wrong)?;
        let ttl = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let ttl = ttl.map_or(Ok(STATIC_TTL), |ttl| ttl.parse().map_err(|_| wrong()))?;
        words.next_if(|word| word.eq_ignore_ascii_case("IN"));
        let rtype = words.next().and_then(|word| Rtype::from_str(&word).ok()).ok_or_else(wrong)?;
        if NOT_STATIC.contains(&rtype) || (128..256).contains(&rtype.to_int()) {
            return Err(RecordError::Type(line.to_owned()));
        }
        let mut scanner = IterScanner::<_, Vec<u8>>::new(words);
        let data: ZoneRecordData<Vec<u8>, Name<Vec<u8>>> =
            ZoneRecordData::scan(rtype, &mut scanner).map_err(|_| wrong())?;
        if !scanner.is_exhausted() {
            return Err(wrong());
        }
        let mut bytes = Vec::new();
        data.compose_rdata(&mut bytes).map_err(|_| wrong())?;
        Ok((self.owner(&owner, line)?, Record { rtype: rtype.to_int(), ttl, data: bytes.into() }))
    }

    fn owner(&self, text: &str, line: &str) -> Result<Vec<u8>, RecordError> {
        let wrong = || RecordError::Record(line.to_owned());
        if text == "@" {
            return Ok(Vec::new());
        }
        let relative = if text.ends_with('.') {
            let name = name(text)?;
            self.relative(&name).ok_or_else(|| RecordError::Outside(line.to_owned()))?.to_vec()
        } else {
            let name = RelativeName::<Vec<u8>>::from_str(text).map_err(|_| wrong())?;
            name.as_slice().to_ascii_lowercase()
        };
        if relative.len() + self.apex.len() > 255 { Err(wrong()) } else { Ok(relative) }
    }
}

/// A name in lower case, on the wire. Bytes of length are below 64, so lower case leaves them alone.
fn name(text: &str) -> Result<Box<[u8]>, RecordError> {
    let name = Name::<Vec<u8>>::from_str(text).map_err(|_| RecordError::Name(text.to_owned()))?;
    if name.is_root() {
        return Err(RecordError::Name(text.to_owned()));
    }
    Ok(name.as_slice().to_ascii_lowercase().into())
}

/// The words of a line; one in quotes may hold spaces. `None`: a quote has no end.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if c.is_whitespace() && !quoted => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            // The scanner would read a space as it is; only a backslash means more to it.
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    (!quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(records: &[&str]) -> ZoneSettings {
        ZoneSettings {
            apex: "Box.Test".into(),
            ns: vec!["ns1.box.test".into(), "ns.example".into()],
            records: records.iter().map(|&r| r.into()).collect(),
            ..ZoneSettings::default()
        }
    }

    #[test]
    fn settings_become_records_in_lower_case() {
        let zone = Zone::new(&settings(&[
            "NS1 A 192.0.2.1",
            "ns1 60 IN AAAA 2001:db8::1",
            "@ CAA 0 issue \"ca.example; accounturi=https://ca.example/1\"",
            "a.b.box.test. TXT \"two words\" more",
        ]))
        .unwrap();
        assert_eq!(zone.apex(), b"\x03box\x04test\0");
        assert_eq!(
            (zone.mname(), zone.rname()),
            (&b"\x03ns1\x03box\x04test\0"[..], &b"\x0ahostmaster\x03box\x04test\0"[..])
        );
        let ns1 = zone.node(b"\x03ns1").unwrap();
        assert_eq!(ns1[0], Record { rtype: 1, ttl: STATIC_TTL, data: Box::new([192, 0, 2, 1]) });
        assert_eq!((ns1[1].rtype, ns1[1].ttl), (28, 60));
        assert_eq!(zone.node(b"\x01a\x01b").unwrap()[0].data[..], *b"\x09two words\x04more");
        assert_eq!(zone.node(b"\x01b"), Some(&[][..]), "it exists, since there is one below it");
        assert_eq!(zone.node(b"\x01c"), None);
        let apex = zone.node(b"").unwrap();
        assert_eq!(apex.iter().map(|r| r.rtype).collect::<Vec<_>>(), [2, 2, 257]);
        assert_eq!(apex[2].data[..7], *b"\0\x05issue");
        assert_eq!(apex[2].data[7..], *b"ca.example; accounturi=https://ca.example/1");
        assert_eq!(zone.glue().collect::<Vec<_>>(), [b"\x03ns1"]);
    }

    #[test]
    fn a_name_is_in_a_zone_by_whole_labels() {
        let zone = Zone::new(&settings(&[])).unwrap();
        assert_eq!(zone.relative(b"\x01a\x03box\x04test\0"), Some(&b"\x01a"[..]));
        assert_eq!(zone.relative(b"\x03box\x04test\0"), Some(&b""[..]));
        assert_eq!(zone.relative(b"\x04test\0"), None);
        assert_eq!(zone.relative(b"\x0bxxx\x03box\x04test\0"), None, "the end of a longer label");
        assert_eq!(zone.relative(b"\x03fox\x04test\0"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |line: &str| Zone::new(&settings(&[line])).unwrap_err();
        for line in [
            "",
            "ns1",
            "ns1 A",
            "ns1 A 192.0.2.1 2",
            "ns1 A x",
            "ns1 BLAH 1",
            "ns1 99999999999 A 192.0.2.1",
            "x TXT \"y",
        ] {
            assert_eq!(error(line), RecordError::Record(line.into()));
        }
        assert_eq!(error("x.example. A 192.0.2.1"), RecordError::Outside("x.example. A 192.0.2.1".into()));
        for line in ["x NS y.example", "x CNAME y.example", "@ SOA a. b. 1 1 1 1 1"] {
            assert_eq!(error(line), RecordError::Type(line.into()));
        }
        let no_ns = ZoneSettings { apex: "a.test".into(), ..ZoneSettings::default() };
        assert_eq!(Zone::new(&no_ns).unwrap_err(), RecordError::NoNs("a.test".into()));
        let root = ZoneSettings { apex: ".".into(), ns: vec!["a.".into()], ..ZoneSettings::default() };
        assert_eq!(Zone::new(&root).unwrap_err(), RecordError::Name(".".into()));
    }
}
