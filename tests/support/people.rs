use serde_json::{Value, json};

use super::{Answer, PASSWORD, Server};

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Person {
    pub(crate) fn of(tokens: &Value) -> Self {
        let text = |name: &str| {
            tokens[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {tokens}"))
                .to_owned()
        };
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

/// What people do with a server.
pub(crate) trait People {
    /// Registers and logs in.
    fn person(&self, email: &str) -> Person;
    fn register(&self, email: &str) -> Answer;
    fn log_in(&self, login: &str) -> Person;
    /// The first administrator, by the link that the program prints.
    fn administrator(&mut self) -> Person;
    fn setup_token(&mut self) -> String;
    fn post(&self, path: &str, body: &Value) -> Answer;
    fn get_as(&self, person: &Person, path: &str) -> Answer;
    fn send_as(&self, person: &Person, method: &str, path: &str, body: &Value) -> Answer;
    fn refresh(&self, token: &str) -> Answer;
}

impl People for Server {
    fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string())
    }

    fn person(&self, email: &str) -> Person {
        self.register(email).is(201);
        self.log_in(email)
    }

    fn register(&self, email: &str) -> Answer {
        self.post(
            "/api/v1/auth/register",
            &json!({ "email": email, "password": PASSWORD }),
        )
    }

    fn log_in(&self, login: &str) -> Person {
        let answer = self.post(
            "/api/v1/auth/login",
            &json!({ "login": login, "password": PASSWORD }),
        );
        Person::of(&answer.is(200).json())
    }

    fn administrator(&mut self) -> Person {
        let token = self.setup_token();
        let new = json!({ "token": token, "email": "root@example.org", "password": PASSWORD });
        Person::of(&self.post("/api/v1/auth/setup", &new).is(201).json())
    }

    fn setup_token(&mut self) -> String {
        let link = self.printed("/auth/pages/setup#");
        link.rsplit_once('#').unwrap().1.to_owned()
    }

    fn get_as(&self, person: &Person, path: &str) -> Answer {
        self.send_as(person, "GET", path, &Value::Null)
    }

    fn send_as(&self, person: &Person, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", person.access);
        let mut headers = vec![("authorization", bearer.as_str())];
        if body.is_null() {
            return self.send(method, path, &headers, "");
        }
        headers.push(("content-type", "application/json"));
        self.send(method, path, &headers, body.to_string())
    }

    fn refresh(&self, token: &str) -> Answer {
        self.post("/api/v1/auth/refresh", &json!({ "refresh_token": token }))
    }
}
