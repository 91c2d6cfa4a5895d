//! A small file system in memory, to see what a full disk does.

use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::{Error, Result};

const FILLER: &str = ".filler";

/// A mounted tmpfs; unmounted and removed on drop.
#[derive(Debug)]
pub struct Tmpfs {
    // Under /tmp and short, because homes with sockets will lie in it. Removed after the unmount.
    dir: tempfile::TempDir,
}

impl Tmpfs {
    /// Mounts one of `size_kib` KiB. Needs root.
    pub fn new(size_kib: u64) -> Result<Self> {
        let builder = tempfile::Builder::new().prefix("pl-fs-").rand_bytes(5).tempdir_in("/tmp");
        let dir = builder.map_err(Error::file("cannot make a directory in", "/tmp"))?;
        let options = CString::new(format!("size={size_kib}k,mode=0700")).unwrap_or_default();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("tmpfs", dir.path(), "tmpfs", flags, options.as_c_str()).map_err(|error| Error::Missing {
            what: format!("the right to mount a tmpfs ({error})"),
            install: "run the tests as root, in a container with CAP_SYS_ADMIN".to_owned(),
        })?;
        Ok(Self { dir })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills it up until `left_bytes` are free, rounded to whole pages.
    pub fn fill(&self, left_bytes: u64) -> Result<()> {
        let path = self.filler();
        let failed = || Error::file("cannot fill", path.clone());
        let mut file = File::options().append(true).create(true).open(&path).map_err(failed())?;
        let page = [0; 4096];
        loop {
            match file.write_all(&page) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(failed()(error)),
            }
        }
        let length = file.metadata().map_err(failed())?.len();
        file.set_len(length.saturating_sub(left_bytes)).map_err(failed())
    }

    /// Gives back what [`Tmpfs::fill`] took.
    pub fn release(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).map_err(Error::file("cannot remove", self.filler()))
    }

    fn filler(&self) -> PathBuf {
        self.path().join(FILLER)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Detached, so that a file still open somewhere cannot keep the mount.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}
