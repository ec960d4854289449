//! Bodies that a route did not want.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// The body of a request, kept until the answer is sent.
///
/// A chunked body that was dropped unread, actix reads to its end, and no timer ends that: a few clients that never
/// send it hold every connection. One that is still there when the answer was sent, actix closes the connection on.
pub(crate) struct Kept(#[expect(dead_code, reason = "it is held, not read")] Rc<RefCell<Payload>>);

impl Kept {
    /// Takes the body, and leaves the request a way to read it.
    pub(crate) fn of(request: &mut ServiceRequest) -> Self {
        let kept = Rc::new(RefCell::new(request.take_payload()));
        let payload = Box::pin(Reader(kept.clone()));
        request.set_payload(Payload::Stream { payload });
        Self(kept)
    }

    /// Ties it to the answer.
    pub(crate) fn until_sent(self, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        response.map_body(|_, body| BoxBody::new(Answer { body, _kept: self }))
    }
}

struct Reader(Rc<RefCell<Payload>>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Answer {
    body: BoxBody,
    _kept: Kept,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
