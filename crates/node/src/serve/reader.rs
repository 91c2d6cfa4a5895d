//! Lines from a client, one at a time and bounded. Must not know what a line says.

use parlor_api::lines::{LineTooLong, Lines};
use tokio::io::AsyncReadExt;
use tokio::net::unix::OwnedReadHalf;

const READ_BYTES: usize = 16 * 1024;

/// The lines of one connection.
pub(super) struct Reader {
    stream: OwnedReadHalf,
    lines: Lines,
    buffer: Box<[u8]>,
}

impl Reader {
    pub(super) fn new(stream: OwnedReadHalf) -> Self {
        Self { stream, lines: Lines::default(), buffer: vec![0; READ_BYTES].into() }
    }

    /// The next line; none at the end. May be dropped while it waits: nothing is lost then.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        loop {
            if let Some(line) = self.lines.next_line()? {
                return Ok(Some(line.to_vec()));
            }
            match self.stream.read(&mut self.buffer).await {
                Ok(read) if read > 0 => self.lines.push(&self.buffer[..read]),
                Ok(_) | Err(_) => return Ok(None),
            }
        }
    }
}
