use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::http::StatusCode;
use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pass::SECURITY;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::{Front, Problem, observe};

/// A connection on which a head that never ends, is too long or is no HTTP is answered with a problem too.
///
/// actix refuses those below every middleware, with a bare status. Such a refusal is put into words where it is the
/// first that is written: there alone it is sure to be an answer, and not the inside of one.
pub struct Connection {
    io: TcpStream,
    front: Front,
    first: First,
}

/// What becomes of the first answer.
enum First {
    Awaited,
    /// It is actix's own: `bytes` go out in place of its `length` bytes.
    Replaced {
        bytes: Vec<u8>,
        sent: usize,
        length: usize,
    },
    Gone,
}

impl Connection {
    /// One that was just accepted.
    pub fn new(io: TcpStream, front: Front) -> Self {
        Self {
            io,
            front,
            first: First::Awaited,
        }
    }

    fn look(&self, answer: &[u8]) -> First {
        match bare(answer) {
            None => First::Gone,
            Some(status) => First::Replaced {
                bytes: self.refusal(status),
                sent: 0,
                length: answer.len(),
            },
        }
    }

    fn refusal(&self, status: StatusCode) -> Vec<u8> {
        let (code, detail) = match status {
            StatusCode::REQUEST_TIMEOUT => (
                "request_timeout",
                "the head of the request did not come in time",
            ),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("headers_too_large", "the head of the request is too large")
            }
            _ => ("request_invalid", "this is no HTTP request"),
        };
        let id = RequestId::fresh(self.front.clock().now());
        observe::refused(status, &id);
        let body = Problem::new(status, code, detail).json(id.as_str());
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
             content-length: {}\r\n{REQUEST_ID}: {}\r\n",
            body.len(),
            id.as_str()
        )
        .into_bytes();
        for (name, value) in SECURITY {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                answer.extend_from_slice(part);
            }
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&body);
        answer
    }
}

/// The status of an answer of actix's own. Those of the application carry the id of their request.
fn bare(answer: &[u8]) -> Option<StatusCode> {
    let text = std::str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    let ours = text.contains(REQUEST_ID.as_str()) || !text.contains("content-length: 0");
    let status = text.strip_prefix("HTTP/1.")?.get(2..5)?;
    let refused = matches!(status, "400" | "408" | "431");
    (refused && !ours).then(|| status.parse().ok())?
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if matches!(this.first, First::Awaited) {
            this.first = this.look(buffer);
        }
        if let First::Replaced {
            bytes,
            sent,
            length,
        } = &mut this.first
        {
            while *sent < bytes.len() {
                *sent += ready!(Pin::new(&mut this.io).poll_write(cx, &bytes[*sent..]))?;
            }
            let length = *length;
            this.first = First::Gone;
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut this.io).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl ActixStream for Connection {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.io, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.io, cx)
    }
}
