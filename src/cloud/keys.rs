//! Keys on disk: the service's own, those of brands, and the factory files that a brand's key makes.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::registration::{BoxKey, ServiceKey, Statement, Voucher};
use crate::sys::random;

/// The service's key in its state directory.
const SERVICE_KEY: &str = "service.key";

/// The service's key; made when there is none.
pub(super) fn service_key(state: &Path) -> Result<ServiceKey, String> {
    let path = state.join(SERVICE_KEY);
    match read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(state).map_err(|e| format!("{}: {e}", state.display()))?;
            // Another that starts at this moment may be first.
            let made = make(&path);
            made.or_else(|why| read(&path).map_err(|_| why))
        }
        other => other.map_err(|e| format!("{}: {e}", path.display())),
    }
}

/// Makes a key in a new file that nobody else may read.
pub(super) fn make(path: &Path) -> Result<ServiceKey, String> {
    let key = ServiceKey::from_seed(seed()?);
    let text = Zeroizing::new(format!("{}\n", encoded(key.seed())));
    write_new(path, text.as_bytes())?;
    Ok(key)
}

/// The key in a file.
pub(super) fn brand_key(path: &Path) -> Result<ServiceKey, String> {
    read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The factory file of a box: its key, and the brand's word that it is one of theirs.
pub(super) fn factory_file(brand: &ServiceKey, serial: &str) -> Result<Zeroizing<String>, String> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    if serial.is_empty() || serial.len() > 64 || !serial.bytes().all(known) {
        return Err(format!(
            "serial '{}': 1 to 64 letters, digits and - _ . : are wanted",
            serial.escape_debug()
        ));
    }
    let key = BoxKey::from_seed(seed()?);
    let voucher = Voucher { serial, key: key.public() }.sign(brand);
    Ok(Zeroizing::new(format!(
        "# Factory data of one box, for stbcastd's eyes alone.\nserial = {serial}\nkey = {}\nvoucher = {}\n",
        encoded(key.seed()),
        encoded(&voucher.0),
    )))
}

/// Writes a file that is not there yet, and that nobody else may read.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut whole = path.as_os_str().to_owned();
    whole.push(format!(".{}", std::process::id()));
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&whole)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&whole, path) // the name is there only with all of it, and is nobody else's
    };
    let done = written().map_err(|e| format!("{}: {e}", path.display()));
    let _left_over = fs::remove_file(&whole);
    done
}

fn read(path: &Path) -> std::io::Result<ServiceKey> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    let mut seed = [0; 32];
    match Base64UrlUnpadded::decode(text.trim(), &mut seed) {
        Ok(bytes) if bytes.len() == 32 => Ok(ServiceKey::from_seed(seed)),
        _ => Err(std::io::Error::new(ErrorKind::InvalidData, "there is no key in it")),
    }
}

fn seed() -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    random::fill(&mut seed).map_err(|e| format!("randomness for a key: {e}"))?;
    Ok(seed)
}

fn encoded(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::Signature;

    #[test]
    fn a_key_is_made_once_and_a_damaged_file_is_not_overwritten() {
        let state = std::env::temp_dir().join(format!("stbcast-cloud-keys-{}", std::process::id()));
        let public = service_key(&state).unwrap().public();
        assert_eq!(service_key(&state).unwrap().public(), public);
        fs::write(state.join(SERVICE_KEY), "abc\n").unwrap();
        assert!(service_key(&state).unwrap_err().contains("no key"));
        assert!(make(&state.join(SERVICE_KEY)).unwrap_err().contains("exists"));
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn a_factory_file_holds_a_voucher_for_its_key() {
        let brand = ServiceKey::from_seed([1; 32]);
        let text = factory_file(&brand, "A-1").unwrap();
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap();
        let bytes = |key: &str| Base64UrlUnpadded::decode_vec(value(key)).unwrap();
        let key = BoxKey::from_seed(bytes("key").try_into().unwrap());
        let voucher = Signature(bytes("voucher").try_into().unwrap());
        assert!(Voucher { serial: value("serial"), key: key.public() }.is_signed(&brand.public(), &voucher));
        assert!(factory_file(&brand, "a\nkey = x").is_err() && factory_file(&brand, "").is_err());
    }
}
