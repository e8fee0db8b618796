//! Whether the tuners of the configuration are there, and whether the box may open them. Who uses one notices nothing.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access};

use super::user::Becoming;
use crate::delivery::{Device, System};
use crate::frontend::{self, Capabilities};
use crate::source::SourceUrl;

/// The bits of a node's mode.
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

/// A sentence for each tuner among `sources`, or one for each of its nodes that is not as it must be; `user` is whom the
/// box becomes.
pub(super) fn tuners(sources: &[SourceUrl], user: Option<&Becoming>) -> Vec<String> {
    let devices = sources.iter().filter_map(|source| match source {
        SourceUrl::Dvb(device) => Some(device),
        _ => None,
    });
    devices.flat_map(|device| tuner(device, user)).collect()
}

fn tuner(device: &Device, user: Option<&Becoming>) -> Vec<String> {
    let frontend = device.node("frontend");
    let nodes = [(&frontend, READ | WRITE), (&device.node("demux"), READ)];
    let refusals = nodes.iter().filter_map(|(node, rights)| refusal(node, *rights, user));
    let mut wrong: Vec<String> = refusals.map(|why| format!("dvb:{device}: {why}")).collect();
    if wrong.is_empty() {
        // For reading, which disturbs nobody.
        wrong.push(match frontend::look(&frontend) {
            Ok(capabilities) => format!("dvb:{device}: {}", described(&capabilities)),
            Err(why) => format!("dvb:{device}: {}: {why}", frontend.display()),
        });
    }
    wrong
}

fn described(Capabilities { name, systems, range }: &Capabilities) -> String {
    let systems: Vec<_> = systems.iter().copied().map(System::name).collect();
    let systems = if systems.is_empty() { "it does not say what".into() } else { systems.join(", ") };
    let [from, to] = [range.0, range.1].map(|hertz| hertz / 1_000_000);
    format!("{name} receives {systems}, from {from} to {to} MHz")
}

/// Why a node cannot be opened with `rights` by `user`, or by who asks.
fn refusal(node: &Path, rights: u32, user: Option<&Becoming>) -> Option<String> {
    let name = node.display();
    let about = match fs::metadata(node) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(format!("{name} is not there")),
        Err(e) => return Some(format!("{name}: {e}")),
    };
    if !about.file_type().is_char_device() {
        return Some(format!("{name} is no device"));
    }
    let may = match user {
        Some(user) => user.may(rights, &about),
        None if rights & WRITE == 0 => access(node, AccessFlags::R_OK).is_ok(),
        None => access(node, AccessFlags::R_OK | AccessFlags::W_OK).is_ok(),
    };
    let who = user.map_or_else(|| format!("user {}", Uid::effective()), ToString::to_string);
    (!may).then(|| format!("{name}: {who} may not open it: it is {}", owned(&about)))
}

/// Whose it is, as `ls -l` has it.
fn owned(about: &fs::Metadata) -> String {
    let (uid, gid) = (Uid::from_raw(about.uid()), Gid::from_raw(about.gid()));
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
    format!("{user}'s and group {group}'s, mode {:o}", about.mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_or_no_device_is_named() {
        let absent = tuners(&["dvb:255.7".parse().unwrap(), "file:/tmp/x".parse().unwrap()], None);
        let node = |kind: &str| format!("dvb:255.7: /dev/dvb/adapter255/{kind}7 is not there");
        assert_eq!(absent, [node("frontend"), node("demux")]);
        assert_eq!(refusal(Path::new("/"), READ, None).as_deref(), Some("/ is no device"));
        assert_eq!(refusal(Path::new("/dev/null"), READ | WRITE, None), None);
    }

    #[test]
    fn what_it_receives_is_said() {
        let systems = [System::DvbT, System::DvbT2].into_iter().collect();
        let name = "Some Tuner".try_into().unwrap();
        let capabilities = Capabilities { name, systems, range: (51_000_000, 2_150_000_000) };
        assert_eq!(described(&capabilities), "Some Tuner receives dvb-t, dvb-t2, from 51 to 2150 MHz");
        let silent = described(&Capabilities::default());
        assert!(silent.contains("does not say"), "{silent}");
    }
}
