//! What the other end of a handshake says: no share, proof or fragment but the right one leads anywhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::handshake::{
    Ephemeral, Fingerprint, Hello, Invitation, Mode, Nonce, PROOF, Pin, PinBox, QrBox, Role, SHARE, Secret,
    Transcript,
};
use stbcast_fuzz::Input;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    match input.byte() % 3 {
        0 => {
            let Ok(text) = std::str::from_utf8(input.rest()) else { return };
            if let Some(invitation) = Invitation::parse(text) {
                assert_eq!(invitation.fragment().as_str(), text, "one text for one invitation");
            }
        }
        1 => {
            let (at_box, _) = QrBox::start(&Secret::new([7; 16]), &transcript(Mode::Qr));
            assert!(at_box.finish(&filled::<PROOF>(&mut input)).is_err(), "nobody guesses 128 bits");
        }
        _ => {
            let pin = Pin::parse("12345678").expect("eight digits");
            let random = Ephemeral::new([9; 64]);
            let share = filled::<SHARE>(&mut input);
            let Ok((at_box, mine, _)) = PinBox::start(&pin, &[3; 16], &transcript(Mode::Pin), random, &share)
            else {
                return;
            };
            assert_eq!(mine[0], 4, "uncompressed");
            assert!(at_box.finish(&filled::<PROOF>(&mut input)).is_err(), "nobody guesses a confirmation");
        }
    }
});

fn transcript(mode: Mode) -> Transcript {
    let (fingerprint, nonce) = (Fingerprint([1; 32]), Nonce([2; 16]));
    let hello = Hello {
        box_name: "box",
        fingerprint: &fingerprint,
        mode,
        box_nonce: &nonce,
        terminal_nonce: &nonce,
        terminal_name: "phone",
        role: Role::Viewer,
    };
    Transcript::of(&hello).expect("the names are short")
}

/// The next bytes, with zeroes behind the last.
fn filled<const N: usize>(input: &mut Input<'_>) -> [u8; N] {
    std::array::from_fn(|_| input.byte())
}
