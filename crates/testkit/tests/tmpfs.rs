//! A small disk: it fills up for real, gives back, and is gone at drop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;

use parlor_testkit::tmpfs::Tmpfs;

fn is_mounted(path: &std::path::Path) -> bool {
    std::fs::read_to_string("/proc/self/mounts").unwrap().contains(&format!(" {} tmpfs ", path.display()))
}

#[test]
fn a_full_disk_refuses_and_a_released_one_takes_again() {
    let disk = Tmpfs::new(256).unwrap();
    let file = disk.path().join("file");
    std::fs::write(&file, [1; 64 << 10]).unwrap();
    disk.fill(0).unwrap();
    assert_eq!(
        std::fs::write(disk.path().join("more"), [1; 4096]).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    disk.release().unwrap();
    std::fs::write(disk.path().join("more"), [1; 64 << 10]).unwrap();
    disk.fill(16 << 10).unwrap();
    std::fs::write(disk.path().join("last"), [1; 16 << 10]).unwrap();
    assert_eq!(std::fs::write(disk.path().join("none"), [1; 1]).unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn it_is_unmounted_and_removed_even_when_a_file_is_still_open() {
    let disk = Tmpfs::new(64).unwrap();
    let path = disk.path().to_owned();
    let open = std::fs::File::create(path.join("open")).unwrap();
    assert!(is_mounted(&path));
    drop(disk);
    assert!(!is_mounted(&path) && !path.exists());
    drop(open);
}
