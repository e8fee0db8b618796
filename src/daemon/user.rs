//! Who the box is: root's start becomes a user without rights, once all is open that only root can open.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, fchownat, geteuid, setgroups, setresgid, setresuid, setuid};

use super::exit::Failure;
use super::machine;
use crate::board;

/// Whom to become.
#[derive(Debug, PartialEq)]
pub(super) struct Becoming {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// Whom a start by root becomes: who is configured, else the board's user. `None`: it stays who it is.
pub(super) fn wanted(configured: Option<&str>) -> Result<Option<Becoming>, Failure> {
    let name = configured.unwrap_or(board::USER);
    if !geteuid().is_root() || name.is_empty() {
        return Ok(None);
    }
    let (uid, gid) = match User::from_name(name) {
        Ok(Some(user)) => (user.uid, user.gid),
        // An image without this user still does not run it as root.
        Ok(None) if configured.is_none() => (Uid::from_raw(board::UID), Gid::from_raw(board::UID)),
        Ok(None) => return Err(Failure::usage(format!("user '{name}': there is no such user here"))),
        Err(e) => return Err(Failure::usage(format!("user '{name}': {e}"))),
    };
    if uid.is_root() {
        return Err(Failure::usage(format!(
            "user '{name}' is root: whoever finds a hole in it would own the box"
        )));
    }
    Ok(Some(Becoming { name: name.into(), uid, gid, groups: groups() }))
}

/// The board's groups, as far as this system has them.
fn groups() -> Vec<Gid> {
    let found = machine::list(board::GROUPS).filter_map(|name| match Group::from_name(name) {
        Ok(Some(group)) => Some(group.gid),
        _ => {
            log::warn!("there is no group '{name}' here: its devices stay closed");
            None
        }
    });
    found.collect()
}

impl fmt::Display for Becoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user '{}' ({})", self.name, self.uid)
    }
}

impl Becoming {
    /// This user has `rights`, bits of a mode as for others, to what `about` is of (path_resolution(7)).
    pub(super) fn may(&self, rights: u32, about: &fs::Metadata) -> bool {
        let gid = Gid::from_raw(about.gid());
        let shift = match () {
            () if about.uid() == self.uid.as_raw() => 6,
            () if gid == self.gid || self.groups.contains(&gid) => 3,
            () => 0,
        };
        about.mode() >> shift & rights == rights
    }

    /// Gives up root's rights for good, helper processes with it; the state becomes the user's own before. The error is
    /// a sentence.
    pub(super) fn become_it(&self, state: &Path) -> Result<(), String> {
        self.own(state).map_err(|e| format!("state directory {}: {e}", state.display()))?;
        self.drop_rights().map_err(|e| format!("user '{}' ({}): {e}", self.name, self.uid))?;
        let groups: Vec<_> = self.groups.iter().map(ToString::to_string).collect();
        let groups = if groups.is_empty() { "none".into() } else { groups.join(", ") };
        log::info!(
            "now user '{}' ({}), more groups: {groups}; root's rights are given up",
            self.name,
            self.uid
        );
        Ok(())
    }

    /// What root wrote in `state` is the user's from now on. Files of two names and links are nobody's to give.
    fn own(&self, state: &Path) -> io::Result<()> {
        let state = fs::canonicalize(state)?; // whoever configured a link means what it leads to
        self.give(&state)?;
        for entry in fs::read_dir(&state)? {
            let path = entry?.path();
            let about = fs::symlink_metadata(&path)?;
            let plain = about.is_dir() || about.nlink() == 1 && !about.is_symlink();
            if plain && about.uid() != self.uid.as_raw() {
                self.give(&path)?;
            }
        }
        Ok(())
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        Ok(fchownat(AT_FDCWD, path, Some(self.uid), Some(self.gid), AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    fn drop_rights(&self) -> io::Result<()> {
        prctl::set_no_new_privs()?;
        setgroups(&self.groups)?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        // With the last of root's numbers go all capabilities (capabilities(7)); the way back must be shut.
        match setuid(Uid::from_raw(0)) {
            Err(Errno::EPERM) => Ok(()),
            _ => Err(io::Error::other("root's rights came back")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_is_the_owner_else_a_group_else_others() {
        let null = fs::metadata("/dev/null").unwrap();
        let file = std::env::current_exe().unwrap();
        let file = fs::metadata(file).unwrap();
        let user = |uid, gid, groups: &[u32]| Becoming {
            name: "box".into(),
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups.iter().copied().map(Gid::from_raw).collect(),
        };
        let (nobody, none) = (file.uid() + 1, file.gid() + 1);
        assert!(user(nobody, none, &[]).may(0o6, &null), "everybody may");
        let bits = |shift: u32| file.mode() >> shift & 0o6 == 0o6;
        assert_eq!(user(file.uid(), none, &[]).may(0o6, &file), bits(6), "its owner");
        assert_eq!(user(nobody, file.gid(), &[]).may(0o6, &file), bits(3), "its group");
        assert_eq!(user(nobody, none, &[file.gid()]).may(0o6, &file), bits(3), "one more group");
        assert!(!user(nobody, none, &[]).may(0o6, &file), "a program is not everybody's to write");
    }
}
