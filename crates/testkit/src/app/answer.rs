use serde_json::Value;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the first line.
    pub status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// The body, whole.
    pub text: String,
}

impl Answer {
    /// `None` for what is no answer of HTTP.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let chunked = ("transfer-encoding".to_owned(), "chunked".to_owned());
        let text = if headers.contains(&chunked) {
            unchunk(body)
        } else {
            body.to_owned()
        };
        Some(Self {
            status,
            headers,
            text,
        })
    }

    /// `null` where the body is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Everything that a stranger could compare. actix sends headers in an order of chance, whatever they are.
    pub fn shape(&self) -> (u16, Vec<(String, String)>, Value) {
        let varies = ["x-request-id", "date", "content-length"];
        let headers = self.headers.iter();
        let mut headers: Vec<_> = headers
            .filter(|(name, _)| !varies.contains(&name.as_str()))
            .cloned()
            .collect();
        headers.sort();
        let mut body = self.json();
        if let Some(body) = body.as_object_mut() {
            body.remove("request_id");
        }
        (self.status, headers, body)
    }

    /// Asserts a problem with this status and code, whose shape is right.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> &Self {
        let body = self.json();
        assert_eq!(
            (self.status, body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"));
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
        self
    }

    /// Asserts the status.
    ///
    /// # Panics
    /// Where it is another.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        text.push_str(rest.get(..size).unwrap_or_default());
        body = rest.get(size + 2..).unwrap_or_default();
    }
    text
}
