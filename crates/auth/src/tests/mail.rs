//! What mail looks like, and where it goes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cgcg_core::Db;
use cgcg_testkit::{TestClock, both};

use super::{Bed, CATALOGUE, keys, new_account};
use crate::{Device, Error, Host, MailSettings, Settings, Smtp, SmtpTls, Transport};

type Change = fn(&mut MailSettings);

fn settings(mail: MailSettings) -> Settings {
    Settings {
        mail,
        ..Settings::default()
    }
}

fn to_files() -> Settings {
    settings(MailSettings {
        transport: Transport::File,
        ..MailSettings::default()
    })
}

fn host(listen: &str, folder: &Path) -> Host {
    Host {
        listen: Some(listen.parse().unwrap()),
        mail_folder: Some(folder.to_owned()),
        ..Host::default()
    }
}

/// A service on these settings, or what is wrong with them.
fn refusal(db: &Db, settings: Settings, host: Host) -> String {
    let clock = std::sync::Arc::new(TestClock::default());
    let publisher = std::sync::Arc::<super::Published>::default();
    let directory = cgcg_users::Directory::new(clock.clone(), publisher.clone());
    let made = crate::Service::new(
        db.clone(),
        clock,
        settings,
        super::keys(7),
        std::sync::Arc::new(directory),
        publisher,
        host,
    );
    match made {
        Err(Error::Settings(wrong)) => wrong,
        Err(error) => panic!("{error}"),
        Ok(_) => String::new(),
    }
}

/// Everything that mail must survive: each is refused where it comes in, or harmless in a mail.
const NAMES: &[&str] = &[
    "Ada\r\nBcc: eve@example.org",
    "Ada\nSubject: x",
    "Ada\0",
    "\u{202e}adA",
    "\",;<>",
    "<script>alert(1)</script>",
    "{{link}}",
    "Ada & \"Söhne\" 'GmbH'",
    "日本語",
];

both! {
    async fn mail_to_files_is_refused_where_a_proxy_or_a_public_name_leads_here(db: Db) {
        let folder = cgcg_testkit::folder();
        let here = || host("127.0.0.1:8000", folder.path());
        let at = |url: &str| Host { public_url: Some(url.to_owned()), ..here() };
        for good in [here(), at("http://localhost:8000"), at("http://127.0.0.1/x"), at("http://[::1]:8000")] {
            assert_eq!(refusal(&db, to_files(), good), "");
        }
        let proxied = Host { behind_proxy: true, ..here() };
        for bad in [proxied, at("https://api.example.org"), at("https://localhost.example.org"), at("https://localhost@example.org")] {
            assert!(refusal(&db, to_files(), bad).starts_with("mail.transport: "));
        }
    }

    async fn m4_no_name_and_no_address_breaks_out_of_a_mail(db: Db) {
        let templates = cgcg_testkit::folder();
        fs::write(templates.path().join("verify.txt"), "Subject: Hello {{name}} of {{product}}\n\n{{name}}: {{link}}").unwrap();
        fs::write(templates.path().join("verify.html"), "<p title=\"{{name}}\">{{name}}</p><a href=\"{{link}}\">x</a>").unwrap();
        let mail = MailSettings { templates: Some(templates.path().to_owned()), ..MailSettings::default() };
        let bed = Bed::with_mail(db, settings(mail)).await;
        let long = "x".repeat(10 * 1_024);
        let (mut refused, mut mailed) = (0, 0);
        for (at, name) in NAMES.iter().copied().chain([long.as_str()]).enumerate() {
            let mut new = new_account(&format!("ada{at}@example.org"));
            new.display_name = Some(name.to_owned());
            match bed.auth.register(new, &Device::default()).await {
                Err(Error::Invalid { field: "display_name", .. }) => refused += 1,
                Err(error) => panic!("{name:?}: {error}"),
                Ok(_) => {
                    let mails = bed.mails().await;
                    let [mail] = &mails[..] else { panic!("{mails:?}") };
                    mailed += 1;
                    let raw = crate::mail::formatted(mail);
                    let (head, _) = raw.split_once("\r\n\r\n").unwrap();
                    let count = |field: &str| head.lines().filter(|line| line.starts_with(field)).count();
                    assert_eq!((count("To:"), count("Bcc:"), count("Cc:"), count("Subject:")), (1, 0, 0, 1), "{head}");
                    assert!(head.contains(&format!("To: ada{at}@example.org\r\n")), "{head}");
                    assert!(raw.is_ascii() && !head.contains("eve@"), "{head}");
                    assert!(!mail.html.contains("<script") && !mail.html.contains("\"\",;"), "{}", mail.html);
                    assert_eq!(mail.html.matches("<p title=").count(), 1);
                }
            }
        }
        assert_eq!((refused, mailed), (5, 5));
        for address in ["a@b.org\r\nBcc: eve@example.org", "a\0@b.org", "\"a b\"@b.org", "a,b@c.org", "<a@b.org>", &long] {
            assert!(address.parse::<cgcg_core::Email>().is_err(), "{address:?}");
        }
    }

    async fn mail_goes_into_files_that_only_their_owner_reads(db: Db) {
        let folder = cgcg_testkit::folder();
        let mails = folder.path().join("data/mail");
        let base = Bed::with(db.clone(), Settings::default()).await;
        let bed = Bed::hosted(db, base.clock.clone(), to_files(), keys(7), host("127.0.0.1:4711", &mails));
        bed.auth.open(CATALOGUE).await.unwrap();
        assert!(bed.auth.verifies_email());
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        assert_eq!(bed.auth.send_due(10).await.unwrap(), 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&mails), 0o700);
        let files: Vec<_> = fs::read_dir(&mails).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| mode(file) == 0o600));
        let eml = files.iter().find(|file| file.extension().unwrap() == "eml").unwrap();
        let eml = fs::read_to_string(eml).unwrap();
        for line in ["To: ada@example.org", "From: CGCG <no-reply@localhost>", "Auto-Submitted: auto-generated", "Date: Tue, 01 Jan 2030 00:00:00 +0000"] {
            assert!(eml.contains(&format!("{line}\r\n")), "{line} is missing in:\n{eml}");
        }
        let joined = eml.replace("=\r\n", "").replace("=3D", "=");
        assert!(joined.contains("http://127.0.0.1:4711/api/v1/auth/pages/verify#cgo1_"), "{eml}");
    }

    async fn a_transport_that_does_not_go_with_the_host_does_not_start(db: Db) {
        let here = Path::new("mail");
        assert_eq!(refusal(&db, to_files(), host("127.0.0.1:8000", here)), "");
        assert_eq!(refusal(&db, to_files(), host("[::1]:8000", here)), "");
        for listen in ["0.0.0.0:8000", "[::]:8000", "192.0.2.1:8000"] {
            assert!(refusal(&db, to_files(), host(listen, here)).contains("mail.transport"), "{listen}");
        }
        assert!(refusal(&db, to_files(), Host::default()).contains("mail.transport"));
        let smtp = |change: Change| {
            let smtp = Smtp { host: "mail.example.org".to_owned(), ..Smtp::default() };
            let from = Some("CGCG <no-reply@example.org>".to_owned());
            let mut mail = MailSettings { transport: Transport::Smtp, from, smtp, ..MailSettings::default() };
            change(&mut mail);
            settings(mail)
        };
        if cfg!(not(feature = "smtp")) {
            assert!(refusal(&db, smtp(|_| ()), Host::default()).contains("Cargo feature `mail`"));
            return;
        }
        let public = || Host { public_url: Some("https://api.example.org".to_owned()), ..Host::default() };
        assert_eq!(refusal(&db, smtp(|_| ()), public()), "");
        assert!(refusal(&db, smtp(|_| ()), Host::default()).contains("public_url"));
        let wrong: [(&str, Change); 6] = [
            ("mail.from", |mail| mail.from = None),
            ("mail.from", |mail| mail.from = Some("nobody".to_owned())),
            ("mail.from", |mail| mail.from = Some("A\r\nBcc: b@c.org <a@b.org>".to_owned())),
            ("mail.smtp.host", |mail| mail.smtp.host = String::new()),
            ("mail.smtp.tls", |mail| mail.smtp.tls = SmtpTls::None),
            ("mail.smtp.password", |mail| mail.smtp.username = Some("ada".to_owned())),
        ];
        for (key, change) in wrong {
            assert!(refusal(&db, smtp(change), public()).contains(key), "{key}");
        }
    }

    async fn templates_are_checked_at_the_start(db: Db) {
        let table = [
            ("verify.txt", "no subject", "first line"),
            ("verify.txt", "Subject: \n\nx", "first line"),
            ("reset.txt", "Subject: x {{nmae}}\n", "nmae"),
            ("reset.html", "{{link", "without its"),
            ("password_changed.html", "{{link}}", "link"),
            ("layout.html", "{{link}}", "link"),
        ];
        for (file, text, what) in table {
            let folder = cgcg_testkit::folder();
            fs::write(folder.path().join(file), text).unwrap();
            let mail = MailSettings { templates: Some(folder.path().to_owned()), ..MailSettings::default() };
            let wrong = refusal(&db, settings(mail), Host::default());
            assert!(wrong.contains("mail.templates") && wrong.contains(file) && wrong.contains(what), "{wrong}");
        }
        let mail = MailSettings { templates: Some("nowhere".into()), ..MailSettings::default() };
        assert!(refusal(&db, settings(mail), Host::default()).contains("no such folder"));
    }

    async fn links_lead_to_pages_of_the_settings(db: Db) {
        let mut settings = Settings::default();
        settings.links.verify = Some("https://app.example.org/welcome?from=mail".to_owned());
        settings.links.setup = Some("https://app.example.org/setup".to_owned());
        let bed = Bed::with_mail(db, settings).await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let link = bed.auth.setup_link(&token);
        assert_eq!(*link.expose(), format!("https://app.example.org/setup#{}", token.expose()));
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        let mails = bed.mails().await;
        assert!(mails[0].text.contains("https://app.example.org/welcome?from=mail#cgo1_"));
        for wrong in ["app.example.org", "https://a/#b", "javascript:alert(1)", "https://a b", "https://"] {
            let mut settings = Settings::default();
            settings.links.reset = Some(wrong.to_owned());
            let wrong = settings.validate();
            assert_eq!((wrong.len(), wrong[0].0), (1, "links.reset"));
        }
    }
}

#[test]
fn a_mail_shows_neither_link_nor_address_in_debug() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let db = cgcg_testkit::sqlite(&folder).await;
        let bed = Bed::with_mail(db, Settings::default()).await;
        bed.auth
            .register(new_account("ada@example.org"), &Device::default())
            .await
            .unwrap();
        let shown = format!("{:?}", bed.mails().await);
        assert!(
            shown.contains("verify") && !shown.contains("cgo1_") && !shown.contains("ada@"),
            "{shown}"
        );
    });
}
