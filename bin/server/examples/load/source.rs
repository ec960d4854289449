use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::client::Client;
use crate::target::{Target, text};

/// Where a connection gets its next request.
pub(crate) trait Source: Send {
    /// The whole request.
    fn next(&mut self) -> &[u8];

    /// Shown each answer that is 2xx.
    fn seen(&mut self, _answer: &Client) {}
}

/// The same requests in turn.
pub(crate) struct InTurn {
    requests: Arc<[Vec<u8>]>,
    at: usize,
}

impl InTurn {
    /// Sources for so many connections, which begin at different places.
    pub(crate) fn over(requests: &Arc<[Vec<u8>]>, connections: usize) -> Vec<Box<dyn Source>> {
        let start = |index: usize| Self {
            requests: requests.clone(),
            at: index * requests.len() / connections,
        };
        (0..connections)
            .map(|index| Box::new(start(index)) as Box<dyn Source>)
            .collect()
    }
}

impl Source for InTurn {
    fn next(&mut self) -> &[u8] {
        self.at = (self.at + 1) % self.requests.len();
        &self.requests[self.at]
    }
}

/// Registers accounts that nobody has registered before.
pub(crate) struct NewAccounts {
    target: Arc<Target>,
    password: String,
    made: Arc<AtomicUsize>,
    request: Vec<u8>,
}

impl NewAccounts {
    pub(crate) fn over(
        target: &Target,
        password: &str,
        connections: usize,
    ) -> Vec<Box<dyn Source>> {
        let (target, made) = (Arc::new(target.clone()), Arc::new(AtomicUsize::new(0)));
        let source = || Self {
            target: target.clone(),
            password: password.to_owned(),
            made: made.clone(),
            request: Vec::new(),
        };
        (0..connections)
            .map(|_| Box::new(source()) as Box<dyn Source>)
            .collect()
    }
}

impl Source for NewAccounts {
    fn next(&mut self) -> &[u8] {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        // A second run must not meet the accounts of the first.
        let run = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let email = format!("load-{run}-{number}@example.com");
        self.request = self.target.register(&email, &self.password);
        &self.request
    }
}

/// Changes a refresh token for the next one, again and again.
pub(crate) struct Chain {
    target: Arc<Target>,
    request: Vec<u8>,
}

impl Chain {
    /// From a first refresh token.
    pub(crate) fn new(target: Arc<Target>, token: &str) -> Self {
        let request = target.refresh(token);
        Self { target, request }
    }
}

impl Source for Chain {
    fn next(&mut self) -> &[u8] {
        &self.request
    }

    fn seen(&mut self, answer: &Client) {
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or(json!(null));
        if let Some(token) = text(&body, "refresh_token") {
            self.request = self.target.refresh(token);
        }
    }
}
