//! Whether anybody still reads stdout: who waits for something to write would otherwise not notice that nobody wants it.
//! Must not read or write.

use rustix::event::{PollFd, PollFlags, poll};

/// Does this once nobody reads stdout any more. What is no pipe or terminal has no readers to go.
pub fn when_gone(act: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        loop {
            // Nothing is asked for: that the other end is gone is told all the same.
            let mut stdout = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut stdout, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_) if stdout[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => return act(),
                Ok(_) => return,
            }
        }
    });
}
