//! The SDT.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::text::{CleanText, Unmarked};
use stbcast::ts::section::Section;
use stbcast::ts::service_info::Sdt;
use stbcast_fuzz::{Input, section};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let unmarked = [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8][usize::from(input.byte() % 3)];
    let table_id = if input.byte() & 7 == 7 { 0x46 } else { 0x42 };
    let bytes = section(table_id, input.number(), input.rest());
    let Some(sdt) = Sdt::parse(Section::new(&bytes).expect("it is sealed"), unmarked) else { return };
    for service in &sdt.services {
        for text in [&service.name, &service.provider] {
            assert_eq!(CleanText::new(text.as_str()), *text, "names are clean");
        }
    }
});
