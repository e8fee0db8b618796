//! The content coding `gzip` (RFC 1952) of a body that is made part by part.
//!
//! Owns the compressor's memory: a third of a megabyte, which one body has at a time. Who comes meanwhile gets its
//! body as it is.

use std::cell::Cell;
use std::rc::Rc;

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress, create_comp_flags_from_zip_params};

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// RFC 1952 §2.3: deflate, no name, no time, made on whatever system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Of 0 to 10: what is above takes twice the time for a tenth of the bytes.
const LEVEL: i32 = 3;
/// Bytes of a chunk of output.
const CHUNK: usize = 4096;

/// Whether the compressor is free.
#[derive(Clone, Default)]
pub struct Gzip(Rc<Cell<bool>>);

/// A body under way. Dropping it makes the compressor free again.
pub struct Coder {
    in_use: Gzip,
    state: Box<CompressorOxide>,
    digest: Digest<'static, u32, Table<1>>,
    /// Bytes that came in, modulo 2^32.
    length: u32,
    /// The head was given.
    begun: bool,
    /// What came out and was not taken.
    out: Vec<u8>,
}

impl Gzip {
    /// The compressor, unless another body has it.
    #[must_use]
    pub fn coder(&self) -> Option<Coder> {
        if self.0.replace(true) {
            return None;
        }
        let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0); // without the head of zlib
        Some(Coder {
            in_use: self.clone(),
            state: Box::new(CompressorOxide::new(flags)),
            digest: CRC.digest(),
            length: 0,
            begun: false,
            out: Vec::new(),
        })
    }
}

impl Coder {
    /// Takes more of the body; gives what there is of its code, maybe nothing.
    pub fn push(&mut self, bytes: &[u8]) -> &[u8] {
        self.begin();
        self.digest.update(bytes);
        self.length = self.length.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.code(bytes, TDEFLFlush::None);
        &self.out
    }

    /// The end of the code.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.begin();
        self.code(&[], TDEFLFlush::Finish);
        let crc = std::mem::replace(&mut self.digest, CRC.digest()).finalize();
        self.out.extend(crc.to_le_bytes());
        self.out.extend(self.length.to_le_bytes());
        std::mem::take(&mut self.out)
    }

    /// Forgets what was given before.
    fn begin(&mut self) {
        self.out.clear();
        if !std::mem::replace(&mut self.begun, true) {
            self.out.extend(HEAD);
        }
    }

    fn code(&mut self, mut bytes: &[u8], flush: TDEFLFlush) {
        let mut chunk = [0; CHUNK];
        loop {
            let (_status, taken, made) = compress(&mut self.state, bytes, &mut chunk, flush);
            self.out.extend_from_slice(&chunk[..made]);
            bytes = &bytes[taken..];
            if bytes.is_empty() && made < CHUNK {
                return;
            }
        }
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        self.in_use.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec;

    use super::*;

    fn coded(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut coder = Gzip::default().coder().unwrap();
        let mut code: Vec<u8> = parts.iter().flat_map(|part| coder.push(part).to_vec()).collect();
        code.extend(coder.finish());
        code
    }

    #[test]
    fn one_body_has_the_compressor_at_a_time() {
        let gzip = Gzip::default();
        let first = gzip.coder();
        assert!(first.is_some() && gzip.coder().is_none());
        drop(first);
        assert!(gzip.coder().is_some());
    }

    proptest::proptest! {
        #[test]
        fn what_goes_in_comes_out(
            parts in proptest::collection::vec((0..4_usize, proptest::num::u8::ANY), 0..40),
        ) {
            let parts: Vec<Vec<u8>> = parts
                .iter()
                .map(|(size, seed)| (0..[0_u32, 7, 900, 30_000][*size]).map(|i| (i.wrapping_mul(i).to_le_bytes()[0]).wrapping_mul(*seed)).collect())
                .collect();
            let (whole, code) = (parts.concat(), coded(&parts));
            let (body, end) = code[HEAD.len()..].split_at(code.len() - HEAD.len() - 8);
            proptest::prop_assert_eq!(&code[..3], &[0x1f, 0x8b, 8]);
            proptest::prop_assert!(decompress_to_vec(body).unwrap() == whole);
            let sums = [CRC.checksum(&whole).to_le_bytes(), (whole.len() as u32).to_le_bytes()].concat();
            proptest::prop_assert_eq!(end, &sums[..]);
        }
    }
}
