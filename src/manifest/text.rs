//! Text that is put together by the compiler.

/// At most `N` bytes of text.
#[derive(Clone, Copy)]
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// The text so far.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.length).0
    }

    pub(super) const fn with(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.length] = text[i];
            self.length += 1;
            i += 1;
        }
        self
    }

    /// `,"name":"value"`. A value that JSON would have to escape does not compile.
    pub(super) const fn with_field(self, name: &str, value: &str) -> Self {
        let bytes = value.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                bytes[i] >= b' ' && bytes[i] < 127 && bytes[i] != b'"' && bytes[i] != b'\\',
                "plain text"
            );
            i += 1;
        }
        self.with(",\"").with(name).with("\":\"").with(value).with("\"")
    }

    pub(super) const fn with_number(mut self, number: u64) -> Self {
        if number >= 10 {
            self = self.with_number(number / 10);
        }
        self.bytes[self.length] = b'0' + (number % 10).to_le_bytes()[0];
        self.length += 1;
        self
    }

    /// Eight hexadecimal digits.
    pub(super) const fn with_hex(mut self, number: u32) -> Self {
        let mut i = 0;
        while i < 8 {
            let digit = ((number >> (28 - 4 * i)) & 0xf).to_le_bytes()[0];
            self.bytes[self.length] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            self.length += 1;
            i += 1;
        }
        self
    }

    /// The text alone, where `M` is its length.
    pub(super) const fn exactly<const M: usize>(&self) -> [u8; M] {
        assert!(M == self.length, "the length is the text's");
        let mut bytes = [0; M];
        let mut i = 0;
        while i < M {
            bytes[i] = self.bytes[i];
            i += 1;
        }
        bytes
    }
}
