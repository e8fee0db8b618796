//! M3U: a line `#EXTINF:DURATION KEY="VALUE" …,NAME`, then the source's line.
//!
//! Read are `tvg-chno`, `tvg-name`, `group-title`, `radio` and `#EXTGRP:`. All other directives, players' own among
//! them, are passed over: nothing in a list says how to fetch something.

use super::lines::Line;
use super::{Import, Imported, ImportedSource};
use crate::ts::service_info::{Name, ServiceKind};

/// Reads a list.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut said = Said::default();
    for line in lines {
        let text = line.text.trim();
        if let Some(info) = text.strip_prefix("#EXTINF:") {
            said = Said { group: said.group, ..Said::of(info, line.number, import) };
        } else if let Some(group) = text.strip_prefix("#EXTGRP:") {
            said.group = Some(Name::new(group));
        } else if !text.is_empty() && !text.starts_with('#') {
            source(line.number, text, std::mem::take(&mut said), import);
        }
    }
}

fn source(line: usize, url: &str, said: Said, import: &mut Import) {
    let source = match import.multicast(url) {
        Ok(source) => source,
        Err(why) => return import.refuse(line, why),
    };
    let address = || match &source {
        ImportedSource::Multicast { group, .. } => Name::new(&group.address.to_string()),
        ImportedSource::Dvb(_) => Name::default(),
    };
    let entry = Imported {
        number: said.number,
        name: said.name.filter(|name| !name.is_empty()).unwrap_or_else(address),
        provider: Name::default(),
        kind: if said.radio { ServiceKind::Radio } else { ServiceKind::Television },
        group: said.title.or(said.group).unwrap_or_default(),
        source,
    };
    import.add(line, entry);
}

/// What the lines before a source say of it.
#[derive(Default)]
struct Said {
    number: Option<u16>,
    name: Option<Name>,
    title: Option<Name>,
    group: Option<Name>,
    radio: bool,
}

impl Said {
    fn of(info: &str, line: usize, import: &mut Import) -> Self {
        let (attributes, name) = split_unquoted(info);
        let mut said = Self { name: Some(Name::new(name)), ..Self::default() };
        for (key, value) in pairs(attributes) {
            match key {
                "tvg-chno" if !value.is_empty() => said.number = import.number(line, value),
                "tvg-name" if name.trim().is_empty() => said.name = Some(Name::new(value)),
                "group-title" => said.title = Some(Name::new(value)),
                "radio" => said.radio = value == "true" || value == "1",
                _ => {}
            }
        }
        said
    }
}

/// The parts before and after the first comma outside of quotes.
fn split_unquoted(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let comma = text.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    // A quote that never ends: the duration and the name are worth more than the attributes.
    comma.and_then(|at| text.split_at_checked(at)).map_or_else(
        || text.split_once(',').unwrap_or((text, "")),
        |(attributes, name)| (attributes, name.strip_prefix(',').unwrap_or(name)),
    )
}

/// The pairs of `KEY="VALUE"` or `KEY=VALUE`.
fn pairs(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let key = before.split_whitespace().next_back().unwrap_or("");
        let quoted = after.strip_prefix('"').and_then(|text| text.split_once('"'));
        let plain = || after.split_once(char::is_whitespace).unwrap_or((after, ""));
        let (value, behind) = quoted.unwrap_or_else(plain);
        rest = behind;
        Some((key, value.trim_start_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Culprit, Format, Refusal, Rules};
    use super::*;
    use crate::source::SourceUrl;

    static LIST: &[u8] = b"#EXTM3U url-tvg=\"http://guide/\" m3u-autoload=1\r\n\
        #EXTINF:-1 tvg-id=\"one.tv\" tvg-chno=\"12\" tvg-name=\"One, HD\" group-title=\"News, all\",One HD, the first\r\n\
        #EXTVLCOPT:network-caching=1000\r\n\
        udp://@239.1.1.1:5000\r\n\
        #EXTINF:-1 radio=\"true\" tvg-chno=13 tvg-name=\"Radio\",\r\n\
        rtp://192.0.2.1@232.1.1.2:5002?iface=tv0\r\n\
        #EXTINF:0,S\xe9rie\r\n\
        #EXTGRP:Films\r\n\
        udp://239.1.1.3:5000\r\n\
        \r\n\
        udp://239.1.1.4:5000\r\n\
        #EXTINF:-1 tvg-chno=\"12\",Twelve again\r\n\
        udp://239.1.1.5:5000\r\n\
        #EXTINF:-1 tvg-chno=\"4.1\",Not here\r\n\
        http://192.0.2.7:4022/udp/239.1.1.1:5000\r\n\
        #EXTINF:-1 group-title=\"open,Six\r\n\
        udp://239.1.1.6:5000\r\n";

    #[test]
    fn a_list_as_providers_write_it() {
        let mut import = Import::new(Rules { interface: Some("tv0".into()), capacity: 6 });
        let refused = import.read(LIST).unwrap();
        let row = |e: &Imported| {
            let ImportedSource::Multicast { group, .. } = &e.source else { panic!() };
            let url = SourceUrl::Udp(group.clone()).to_string();
            let url = url.trim_start_matches("udp://").trim_end_matches("?iface=tv0").to_owned();
            (e.number, e.name.to_string(), e.group.to_string(), e.kind, url)
        };
        let rows: Vec<_> = import.entries().iter().map(row).collect();
        let wanted = [
            (Some(12), "One HD, the first", "News, all", ServiceKind::Television, "239.1.1.1:5000"),
            (Some(13), "Radio", "", ServiceKind::Radio, "192.0.2.1@232.1.1.2:5002"),
            (None, "Série", "Films", ServiceKind::Television, "239.1.1.3:5000"),
            (None, "239.1.1.4:5000", "", ServiceKind::Television, "239.1.1.4:5000"),
            (None, "Twelve again", "", ServiceKind::Television, "239.1.1.5:5000"),
            (None, "Six", "open", ServiceKind::Television, "239.1.1.6:5000"),
        ];
        assert_eq!(
            rows,
            wanted.map(|(n, name, group, k, url)| (n, name.into(), group.into(), k, url.into()))
        );
        let url = Culprit::new("http://192.0.2.7:4022/udp/239.1.1.1:5000");
        let wanted = [
            (13, Refusal::NumberTaken(12)),
            (14, Refusal::Number(Culprit::new("4.1"))),
            (15, Refusal::Scheme(url)),
        ];
        assert_eq!(refused.kept(), wanted);
    }

    #[test]
    fn a_full_import_says_so_for_each_line() {
        let mut import = Import::new(Rules { interface: None, capacity: 1 });
        let list = "udp://239.1.1.1:1\nudp://239.1.1.2:1\nudp://239.1.1.3:1\n";
        let refused = import.read_as(Format::M3u, list.as_bytes()).unwrap();
        assert_eq!(refused.kept(), [(2, Refusal::Full(1)), (3, Refusal::Full(1))]);
        assert_eq!(import.entries().len(), 1);
        let many = "http://a\n".repeat(1000);
        let refused = import.read_as(Format::M3u, many.as_bytes()).unwrap();
        assert_eq!((refused.kept().len(), refused.count()), (super::super::REFUSALS_KEPT, 1000));
    }
}
