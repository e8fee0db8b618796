//! An answer, put together from whatever pieces it comes in. No I/O.

/// Bytes of the longest head, those of interim answers included.
pub(super) const HEAD: usize = 8 * 1024;
/// Bytes of the longest body.
pub(super) const BODY: usize = 16 * 1024;
/// Fields of the longest head.
const FIELDS: usize = 64;
/// Bytes of the longest line that gives a chunk's size, and of all trailers.
const LINE: usize = 1024;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 299, 400 to 599.
    pub status: u16,
    /// At most 16 KiB.
    pub body: Vec<u8>,
}

/// Why it is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    NotHttp,
    TooLong(usize),
}

/// The state of an answer that is coming in.
#[derive(Default)]
pub(super) struct Parser {
    /// Bytes of the head as far as it came.
    head: Vec<u8>,
    /// Bytes of heads that were interim.
    interim: usize,
    /// Once the head is whole.
    body: Option<Body>,
}

struct Body {
    status: u16,
    location: Option<String>,
    extent: Extent,
    bytes: Vec<u8>,
}

/// How far the body goes (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// So many bytes more.
    Length(usize),
    Chunked(Chunk),
    UntilEnd,
}

/// What comes next of a chunked body (RFC 9112 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// The line with a size, read this far: the size, the bytes of the line, and whether digits are over.
    Size {
        size: usize,
        digits: usize,
        seen: usize,
    },
    /// So many bytes more.
    Data(usize),
    /// The line break behind data.
    DataEnd,
    /// Lines behind the last chunk: bytes of this one, bytes of all.
    Trailer {
        line: usize,
        seen: usize,
    },
    Done,
}

const SIZE: Chunk = Chunk::Size { size: 0, digits: 0, seen: 0 };

type Whole = (Answer, Option<String>);

impl Parser {
    /// Takes what came; gives the answer, and where it points, once it is whole.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<Whole>, Malformed> {
        while self.body.is_none() {
            let Some(line) = bytes.iter().position(|b| *b == b'\n') else {
                self.add_to_head(bytes)?;
                return Ok(None);
            };
            let (now, rest) = bytes.split_at(line + 1);
            self.add_to_head(now)?;
            bytes = rest;
            // A head ends with an empty line, so only then is it worth a look.
            if self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n") {
                self.take_head()?;
            }
        }
        if let Some(body) = &mut self.body {
            body.take(bytes)?;
        }
        Ok(self.whole(false))
    }

    /// The end came; gives the answer where that is how it ends.
    pub(super) fn end(&mut self) -> Result<Option<Whole>, Malformed> {
        Ok(self.whole(true))
    }

    fn add_to_head(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.interim + self.head.len() + bytes.len() > HEAD {
            return Err(Malformed::TooLong(HEAD));
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }

    fn take_head(&mut self) -> Result<(), Malformed> {
        match read_head(&self.head)? {
            None => {}
            // RFC 9110 §15.2: an interim answer, the one that counts follows.
            Some(body) if body.status < 200 => {
                self.interim += self.head.len();
                self.head.clear();
            }
            body => self.body = body,
        }
        Ok(())
    }

    fn whole(&mut self, ended: bool) -> Option<Whole> {
        let whole = |body: &mut Body| match body.extent {
            Extent::Length(0) | Extent::Chunked(Chunk::Done) => true,
            Extent::UntilEnd => ended,
            _ => false,
        };
        let body = self.body.take_if(whole)?;
        Some((Answer { status: body.status, body: body.bytes }, body.location))
    }
}

fn read_head(bytes: &[u8]) -> Result<Option<Body>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooLong(HEAD)),
        Err(_) => return Err(Malformed::NotHttp),
    }
    let status = head.code.filter(|code| (100..600).contains(code)).ok_or(Malformed::NotHttp)?;
    let (mut length, mut chunked, mut location) = (None, false, None);
    for field in head.headers.iter() {
        let value = std::str::from_utf8(field.value).unwrap_or_default().trim();
        if field.name.eq_ignore_ascii_case("content-length") {
            if !value.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Malformed::NotHttp);
            }
            let value: usize = value.parse().map_err(|_| Malformed::NotHttp)?;
            if length.is_some_and(|other| other != value) {
                return Err(Malformed::NotHttp);
            }
            length = Some(value);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") || chunked {
                return Err(Malformed::NotHttp);
            }
            chunked = true;
        } else if field.name.eq_ignore_ascii_case("location") {
            location = Some(value.to_owned());
        }
    }
    let extent = match (status, length) {
        (100..200 | 204 | 304, _) => Extent::Length(0),
        _ if chunked => Extent::Chunked(SIZE),
        (_, Some(length)) if length > BODY => return Err(Malformed::TooLong(BODY)),
        (_, Some(length)) => Extent::Length(length),
        _ => Extent::UntilEnd,
    };
    Ok(Some(Body { status, location, extent, bytes: Vec::new() }))
}

impl Body {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        match &mut self.extent {
            Extent::UntilEnd => add(&mut self.bytes, bytes),
            Extent::Length(left) => {
                let now = &bytes[..bytes.len().min(*left)];
                *left -= now.len();
                add(&mut self.bytes, now)
            }
            Extent::Chunked(chunk) => {
                let mut rest = bytes;
                while let (Some(byte), true) = (rest.first(), *chunk != Chunk::Done) {
                    if let Chunk::Data(left) = chunk {
                        let now = &rest[..rest.len().min(*left)];
                        rest = &rest[now.len()..];
                        *left -= now.len();
                        if *left == 0 {
                            *chunk = Chunk::DataEnd;
                        }
                        add(&mut self.bytes, now)?;
                    } else {
                        *chunk = chunk.after(*byte)?;
                        rest = &rest[1..];
                    }
                }
                Ok(())
            }
        }
    }
}

impl Chunk {
    /// What comes after this byte of a line.
    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match self {
            Self::Size { seen: LINE.., .. } | Self::Trailer { seen: LINE.., .. } => {
                return Err(Malformed::TooLong(LINE));
            }
            Self::Size { digits: 0, .. } if byte == b'\n' => return Err(Malformed::NotHttp),
            Self::Size { size: 0, .. } if byte == b'\n' => Self::Trailer { line: 0, seen: 0 },
            Self::Size { size: size @ ..=BODY, .. } if byte == b'\n' => Self::Data(size),
            Self::Size { size, .. } if byte == b'\n' || size > BODY => return Err(Malformed::TooLong(BODY)),
            Self::Size { size, digits, seen } => match char::from(byte).to_digit(16) {
                // Digits stand at the start of the line; what follows is an extension.
                Some(digit) if digits == seen => {
                    Self::Size { size: size * 16 + digit as usize, digits: digits + 1, seen: seen + 1 }
                }
                _ if digits == 0 => return Err(Malformed::NotHttp),
                _ => Self::Size { size, digits, seen: seen + 1 },
            },
            Self::DataEnd => match byte {
                b'\r' => self,
                b'\n' => SIZE,
                _ => return Err(Malformed::NotHttp),
            },
            Self::Trailer { line: 0, .. } if byte == b'\n' => Self::Done,
            Self::Trailer { seen, .. } if byte == b'\n' => Self::Trailer { line: 0, seen: seen + 1 },
            Self::Trailer { line, seen } if byte == b'\r' => Self::Trailer { line, seen: seen + 1 },
            Self::Trailer { line, seen } => Self::Trailer { line: line + 1, seen: seen + 1 },
            Self::Data(_) | Self::Done => self,
        })
    }
}

fn add(body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Malformed> {
    if body.len() + bytes.len() > BODY {
        return Err(Malformed::TooLong(BODY));
    }
    body.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer that comes of these bytes and the end, in pieces of `size`.
    fn parse(bytes: &[u8], size: usize) -> Result<Option<Whole>, Malformed> {
        let mut parser = Parser::default();
        for piece in bytes.chunks(size) {
            if let Some(whole) = parser.feed(piece)? {
                return Ok(Some(whole));
            }
        }
        parser.end()
    }

    #[track_caller]
    fn check(text: &str, expected: Result<Option<(u16, &str)>, Malformed>) {
        for size in [1, 2, 3, 7, text.len().max(1)] {
            let got = parse(text.as_bytes(), size);
            let got = got.map(|whole| whole.map(|(a, _)| (a.status, String::from_utf8(a.body).unwrap())));
            assert_eq!(got, expected.map(|whole| whole.map(|(s, b)| (s, b.to_owned()))), "{size}: {text:?}");
        }
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", Ok(Some((200, "abc"))));
        check("HTTP/1.0 200 OK\n\nabc", Ok(Some((200, "abc"))));
        check("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", Ok(Some((204, ""))));
        check("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Ok(Some((403, ""))));
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        check(interim, Ok(Some((200, "x"))));
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
        let chunks = |text: &str| format!("{head}{text}");
        check(&chunks("3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\nmore"), Ok(Some((200, "abc0123456789"))));
        check(&chunks("1\na\n0\nTrailer: x\n\n"), Ok(Some((200, "a"))));
        check(&chunks("3\r\nabc\r\n0\r\n"), Ok(None));
        check(&chunks("3\r\nabcd\r\n"), Err(Malformed::NotHttp));
        check(&chunks("\r\n"), Err(Malformed::NotHttp));
        check(&chunks("g\r\n"), Err(Malformed::NotHttp));
        check(&chunks("ffffffffffffffffffff\r\n"), Err(Malformed::TooLong(BODY)));
        check(&chunks(&format!("1;{}\r\n", "x".repeat(LINE))), Err(Malformed::TooLong(LINE)));
        check(&chunks(&format!("0\r\n{}", "T: x\r\n".repeat(LINE))), Err(Malformed::TooLong(LINE)));
        let long = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
        check(&chunks(&long.repeat(5)), Err(Malformed::TooLong(BODY)));
    }

    #[test]
    fn what_is_cut_malformed_or_too_long_is_no_answer() {
        for cut in ["", "HTTP/1.1 200 OK\r\nA: b", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"] {
            check(cut, Ok(None));
        }
        for bad in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 999 X\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ] {
            check(bad, Err(Malformed::NotHttp));
        }
        check(&format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(HEAD)), Err(Malformed::TooLong(HEAD)));
        check(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(400), Err(Malformed::TooLong(HEAD)));
        check("HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n", Err(Malformed::TooLong(BODY)));
        check(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(BODY + 1)), Err(Malformed::TooLong(BODY)));
        let fields = "A: b\r\n".repeat(FIELDS + 1);
        check(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), Err(Malformed::TooLong(HEAD)));
    }

    #[test]
    fn a_redirect_says_where_to() {
        let whole = parse(b"HTTP/1.1 301 M\r\nLocation: https://b/\r\nContent-Length: 0\r\n\r\n", 5);
        assert_eq!(whole.unwrap().unwrap().1.as_deref(), Some("https://b/"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_survived(
            head in 0..4usize,
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            size in 1..50usize,
        ) {
            let heads = ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", CHUNKED];
            let bytes = [heads[head].as_bytes(), &bytes].concat();
            let whole = parse(&bytes, size);
            proptest::prop_assert_eq!(whole, parse(&bytes, bytes.len().max(1)));
        }

        #[test]
        fn whatever_is_sent_in_chunks_comes_whole(
            chunks in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 1..90), 0..9),
            size in 1..50usize,
        ) {
            let mut bytes = CHUNKED.as_bytes().to_vec();
            for chunk in &chunks {
                bytes.extend(format!("{:X}\r\n", chunk.len()).into_bytes());
                bytes.extend([chunk.as_slice(), b"\r\n"].concat());
            }
            bytes.extend(b"0\r\n\r\n");
            let answer = parse(&bytes, size).unwrap().unwrap().0;
            proptest::prop_assert_eq!(answer.body, chunks.concat());
        }
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
}
