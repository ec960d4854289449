use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One kept connection. Opened again where the server closes it.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

/// Where the body of an answer ends.
enum Framing {
    Length(usize),
    Chunked,
    Closed,
}

struct Head {
    status: u16,
    framing: Framing,
    keep: bool,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: Vec::with_capacity(16 << 10),
            body: Vec::new(),
        }
    }

    /// Sends a whole request and answers the status. The body is kept until the next one.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        // Taken out: an error, or a time-out that drops this future, leaves no half-read connection behind.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        self.body.clear();
        let (head, end) = self.read_head(&mut stream).await?;
        self.read_body(&mut stream, &head, end).await?;
        if head.keep {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }

    /// Of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// A header of the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let end = find(&self.buffer, b"\r\n\r\n", 0)?;
        let head = std::str::from_utf8(&self.buffer[..end]).ok()?;
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    async fn read_head(&mut self, stream: &mut TcpStream) -> io::Result<(Head, usize)> {
        let mut seen = 0;
        loop {
            fill(stream, &mut self.buffer).await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n", seen) {
                return Ok((parse_head(&self.buffer[..end])?, end + 4));
            }
            seen = self.buffer.len().saturating_sub(3);
        }
    }

    async fn read_body(
        &mut self,
        stream: &mut TcpStream,
        head: &Head,
        start: usize,
    ) -> io::Result<()> {
        match head.framing {
            Framing::Length(length) => {
                while self.buffer.len() < start + length {
                    fill(stream, &mut self.buffer).await?;
                }
                self.body
                    .extend_from_slice(&self.buffer[start..start + length]);
            }
            Framing::Chunked => self.read_chunks(stream, start).await?,
            Framing::Closed => {
                stream.read_to_end(&mut self.buffer).await?;
                self.body.extend_from_slice(&self.buffer[start..]);
            }
        }
        Ok(())
    }

    /// RFC 9112, section 7.1.
    async fn read_chunks(&mut self, stream: &mut TcpStream, mut at: usize) -> io::Result<()> {
        loop {
            let end = loop {
                match find(&self.buffer, b"\r\n", at) {
                    Some(end) => break end,
                    None => fill(stream, &mut self.buffer).await?,
                }
            };
            let line = std::str::from_utf8(&self.buffer[at..end]).map_err(|_| broken())?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken())?;
            at = end + 2;
            while self.buffer.len() < at + size + 2 {
                fill(stream, &mut self.buffer).await?;
            }
            if size == 0 {
                return Ok(());
            }
            self.body.extend_from_slice(&self.buffer[at..at + size]);
            at += size + 2;
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let head = std::str::from_utf8(head).map_err(|_| broken())?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status: u16 = first
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .ok_or_else(broken)?;
    let empty = status < 200 || status == 204 || status == 304;
    let mut framing = if empty {
        Framing::Length(0)
    } else {
        Framing::Closed
    };
    let mut keep = first.starts_with("HTTP/1.1");
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse().map_err(|_| broken())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.eq_ignore_ascii_case("close");
        }
    }
    keep &= !matches!(framing, Framing::Closed);
    Ok(Head {
        status,
        framing,
        keep,
    })
}

fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(what.len())
        .position(|window| window == what)
        .map(|at| from + at)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP/1.1")
}
