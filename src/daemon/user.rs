//! Who the box is: root's start becomes a user without rights, once all is open that only root can open.

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

impl Becoming {
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
