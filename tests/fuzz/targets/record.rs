//! The channel table on flash.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use stbcast::channel::ChannelTable;
use stbcast::tuner::Tuners;

thread_local! {
    static TUNERS: RefCell<Tuners> = RefCell::new(Tuners::new([]).expect("there is memory for tuners"));
}

fuzz_target!(|bytes: &[u8]| {
    TUNERS.with_borrow(|tuners| {
        // The format comes first, and there is one.
        let record = [&[1], bytes].concat();
        let Ok(table) = ChannelTable::load(&record, tuners) else { return };
        let entries: Vec<_> = (0..table.len()).filter_map(|i| table.get(i)).collect();
        assert!(entries.len() <= stbcast::board::CHANNELS);
        assert!(entries.windows(2).all(|pair| pair[0].number < pair[1].number));
        for entry in entries {
            assert!(table.find(entry.number).is_some_and(|found| std::ptr::eq(found, entry)));
        }
    });
});
