//! `GET /logo/<number>`: a channel's picture, as the box's maker or its owner put it there.

use std::io;

use embedded_io_async::{Read, Write};

use super::SetTopBox;
use super::visit::{Visit, refuse};
use crate::access::Caller;
use crate::http::{Exchange, Keep, Page, Status};

/// Media types by what a file's name ends with, the best first: a drawing is sharp at every size.
const KINDS: [(&str, &str); 4] =
    [("svg", "image/svg+xml"), ("webp", "image/webp"), ("png", "image/png"), ("jpg", "image/jpeg")];

/// A drawing is a document: opened by itself it loads nothing, runs nothing and is of no site's origin.
const INERT: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/// Pictures of channels, in memory of a fixed size.
#[derive(Default)]
pub struct Logos {
    /// In the order of numbers, each once.
    all: Vec<Logo>,
    bytes: usize,
}

struct Logo {
    number: u16,
    kind: usize,
    etag: String,
    body: Box<[u8]>,
}

/// Why a picture is left out.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLogo {
    /// Its name is not a channel's number and `.png`, `.svg`, `.webp` or `.jpg`.
    Name,
    /// There is no room for it beside those there are.
    Full,
    /// The number has a better one.
    Twice,
}

impl Logos {
    /// Whether a file of this name is one, and whose: the number and what it is.
    fn parse(name: &str) -> Option<(u16, usize)> {
        let (number, ending) = name.split_once('.')?;
        let kind = KINDS.iter().position(|(known, _)| *known == ending)?;
        let number: u16 = number.parse().ok().filter(|n: &u16| *n > 0 && number == n.to_string())?;
        Some((number, kind))
    }

    /// Keeps the picture that the file `name` has; `hash` tells it from others, `most` is the room for all of them.
    pub fn add(&mut self, name: &str, body: Vec<u8>, hash: &[u8], most: usize) -> Result<(), NoLogo> {
        let (number, kind) = Self::parse(name).ok_or(NoLogo::Name)?;
        let place = self.all.binary_search_by_key(&number, |logo| logo.number);
        let before = place.ok().map(|i| (self.all[i].kind, self.all[i].body.len()));
        if before.is_some_and(|(better, _)| better < kind) {
            return Err(NoLogo::Twice);
        }
        let bytes = self.bytes - before.map_or(0, |(_, length)| length) + body.len();
        if bytes > most {
            return Err(NoLogo::Full);
        }
        let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let logo = Logo { number, kind, etag: format!("\"{hex}\""), body: body.into() };
        match place {
            Ok(i) => self.all[i] = logo,
            Err(i) => self.all.insert(i, logo),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// How many there are, and their bytes.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.all.len(), self.bytes)
    }

    fn find(&self, number: u16) -> Option<&Logo> {
        self.all.binary_search_by_key(&number, |logo| logo.number).ok().map(|i| &self.all[i])
    }

    /// Where the picture of a channel is; another one is elsewhere.
    pub(super) fn path(&self, number: u16) -> Option<heapless::String<32>> {
        let logo = self.find(number)?;
        format!("/logo/{number}?v={}", logo.etag.trim_matches('"')).as_str().try_into().ok()
    }
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    // No channel has the number 0, so what is no number is not there.
    let number = visit.part.parse().ok().filter(|n: &u16| n.to_string() == visit.part).unwrap_or(0);
    let may = |caller: &Caller| caller.may_see(number);
    if let Err(why) = visit.identify(stb, &mut exchange, may) {
        return refuse(stb, exchange, &why).await;
    }
    let Some(logo) = stb.logos.find(number) else {
        return exchange.refuse(Status::NotFound, "this channel has no picture").await;
    };
    let page = Page {
        content_type: KINDS[logo.kind].1,
        policy: INERT,
        keep: Keep::Asking,
        etag: &logo.etag,
        is_gzip: false,
        body: &logo.body,
    };
    exchange.page(&page, visit.request.said.has(&logo.etag)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_number_and_what_it_is() {
        for (name, found) in [
            ("1.png", Some((1, 2))),
            ("65535.svg", Some((65535, 0))),
            ("105.webp", Some((105, 1))),
            ("7.jpg", Some((7, 3))),
            ("0.png", None),
            ("01.png", None),
            ("+1.png", None),
            ("65536.png", None),
            ("1.gif", None),
            ("1.png.svg", None),
            ("one.png", None),
            (".png", None),
            ("1", None),
        ] {
            assert_eq!(Logos::parse(name), found, "{name}");
        }
    }

    #[test]
    fn the_best_of_a_number_is_kept_and_full_is_an_answer() {
        let mut logos = Logos::default();
        let mut add = |name: &str, bytes: usize| logos.add(name, vec![0; bytes], &[7; 32], 100);
        assert_eq!(add("2.png", 40), Ok(()));
        assert_eq!(add("1.png", 40), Ok(()));
        assert_eq!(add("3.png", 40), Err(NoLogo::Full));
        assert_eq!(add("2.svg", 60), Ok(()), "in the place of the other");
        assert_eq!(add("2.jpg", 1), Err(NoLogo::Twice));
        assert_eq!(add("cover.jpg", 1), Err(NoLogo::Name));
        assert_eq!((logos.counts(), logos.find(2).map(|l| l.kind)), ((2, 100), Some(0)));
        assert_eq!(logos.path(2).as_deref(), Some("/logo/2?v=0707070707070707"));
        assert_eq!(logos.path(3), None);
    }
}
