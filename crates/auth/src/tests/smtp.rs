//! A mail server that speaks as much of RFC 5321 as a client needs, and what the client does with it.

use std::sync::{Arc, Mutex};

use cgcg_core::Db;
use cgcg_testkit::both;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Bed, CATALOGUE, keys, new_account};
use crate::{Device, Host, MailSettings, Settings, Smtp, SmtpTls, Transport};

/// What it heard, and what it answers to a recipient.
#[derive(Clone)]
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<&'static str>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            answer: Arc::new(Mutex::new("250 OK")),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        server
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 test ESMTP\r\n").await.ok()?;
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            self.heard.lock().unwrap().push(line.clone());
            let answer = match line.get(..4).unwrap_or_default() {
                _ if in_data && line != "." => continue,
                _ if in_data => {
                    in_data = false;
                    "250 taken"
                }
                // No STARTTLS among the extensions.
                "EHLO" => "250-test\r\n250 8BITMIME",
                "RCPT" => *self.answer.lock().unwrap(),
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 OK",
            };
            write
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .ok()?;
        }
        Some(())
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }

    async fn bed(&self, db: Db, tls: SmtpTls) -> Bed {
        let base = Bed::with(db.clone(), Settings::default()).await;
        let smtp = Smtp {
            host: "localhost".to_owned(),
            port: Some(self.port),
            tls,
            ..Smtp::default()
        };
        let mail = MailSettings {
            transport: Transport::Smtp,
            from: Some("\"Ada & Söhne\" <no-reply@example.org>".to_owned()),
            smtp,
            ..MailSettings::default()
        };
        let host = Host {
            public_url: Some("https://api.example.org".to_owned()),
            ..Host::default()
        };
        let settings = Settings {
            mail,
            ..Settings::default()
        };
        let bed = Bed::hosted(db, base.clock.clone(), settings, keys(7), host);
        bed.auth.open(CATALOGUE).await.unwrap();
        bed
    }
}

async fn register(bed: &Bed) {
    let new = new_account("ada@example.org");
    bed.auth.register(new, &Device::default()).await.unwrap();
    assert_eq!(bed.auth.send_due(10).await.unwrap(), 1);
}

both! {
    async fn a_mail_server_gets_the_mail_with_one_recipient(db: Db) {
        let server = Server::start().await;
        let bed = server.bed(db, SmtpTls::None).await;
        register(&bed).await;
        let heard = server.heard();
        assert!(heard.contains("MAIL FROM:<no-reply@example.org>"), "{heard}");
        assert_eq!(heard.matches("RCPT TO:<ada@example.org>").count(), 1, "{heard}");
        assert_eq!(heard.matches("RCPT ").count(), 1, "{heard}");
        let joined = heard.replace("=\n", "");
        assert!(joined.contains("https://api.example.org/api/v1/auth/pages/verify#cgo1_"), "{heard}");
        assert_eq!(bed.auth.send_due(10).await.unwrap(), 0);
    }

    async fn a_server_that_is_busy_is_asked_again(db: Db) {
        let server = Server::start().await;
        let bed = server.bed(db, SmtpTls::None).await;
        *server.answer.lock().unwrap() = "451 try again later";
        register(&bed).await;
        assert!(!server.heard().contains("DATA"));
        *server.answer.lock().unwrap() = "250 OK";
        bed.advance(30);
        assert_eq!(bed.auth.send_due(10).await.unwrap(), 1);
        assert!(server.heard().contains("cgo1_"));
        bed.advance(3_600);
        assert_eq!(bed.auth.send_due(10).await.unwrap(), 0);
    }

    async fn an_address_that_does_not_exist_is_not_asked_again(db: Db) {
        let server = Server::start().await;
        let bed = server.bed(db, SmtpTls::None).await;
        *server.answer.lock().unwrap() = "550 no such user";
        register(&bed).await;
        bed.advance(3_600);
        assert_eq!(bed.auth.send_due(10).await.unwrap(), 0);
    }

    async fn a_server_without_tls_gets_no_mail(db: Db) {
        let server = Server::start().await;
        for tls in [SmtpTls::Starttls, SmtpTls::Implicit] {
            let bed = server.bed(db.clone(), tls).await;
            let email = format!("ada.{tls:?}@example.org");
            bed.auth.register(new_account(&email), &Device::default()).await.unwrap();
            bed.auth.send_due(10).await.unwrap();
            let heard = server.heard();
            assert!(!heard.contains("MAIL FROM") && !heard.contains("example.org"), "{heard}");
        }
    }
}
