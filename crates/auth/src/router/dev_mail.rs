//! The mailbox of a developer: what `mail.transport = "file"` wrote. For this machine only.

use std::future::{Ready, ready};
use std::path::PathBuf;

use actix_web::http::header::{ACCEPT, HOST};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev};
use cgcg_web::{Path, Problem};
use serde::Serialize;

use super::page::{nonce, styled};
use crate::mail::{MailId, StoredMail, escape, find, is_name_of_here, list};
use crate::{Service, Transport};

const PAGE: &str = include_str!("dev_mail.html");

/// The folder of mail, for whoever may look into it: somebody at this machine, and no page of another site that the
/// browser of that person shows. 404 for everybody else.
pub(super) struct Mailbox(PathBuf);

impl FromRequest for Mailbox {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let service = request.app_data::<Data<Service>>();
        let folder = service.filter(|auth| {
            let transport = auth.settings().mail.transport;
            transport == Transport::File && auth.host().mailer.is_none()
        });
        let folder = folder.and_then(|auth| auth.host().mail_folder.clone());
        let folder = folder.filter(|_| is_from_here(request));
        ready(folder.map(Self).ok_or_else(missing))
    }
}

fn missing() -> Problem {
    Problem::not_found("path_not_found", "no such path")
}

fn is_from_here(request: &HttpRequest) -> bool {
    let peer = request.peer_addr();
    let headers = request.headers();
    // A proxy on this machine speaks for the world.
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"];
    let direct = !forwarded.iter().any(|name| headers.contains_key(*name));
    // A foreign name that resolves to this machine would let another site's scripts read here.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && direct
        && host.is_some_and(is_name_of_here)
}

/// The newest mails, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Mails {
    items: Vec<StoredMail>,
}

/// Mail that went into files, for development: a page for browsers, JSON for programs.
#[utoipa::path(
    get,
    path = "/api/v1/auth/dev/mail",
    tag = "auth",
    responses(
        (status = 200, body = Mails, description = "The newest 100."),
        (status = 404, description = "`path_not_found`: not from this machine, or `mail.transport` is not `file`"),
    ),
    security(())
)]
pub(super) async fn list_dev_mail(
    request: HttpRequest,
    mailbox: Mailbox,
) -> Result<HttpResponse, Problem> {
    let items = read(move || list(&mailbox.0)).await?;
    if !wants_page(&request) {
        return Ok(HttpResponse::Ok().json(Mails { items }));
    }
    let rows: String = items.iter().map(row).collect();
    let rows = match rows.is_empty() {
        true => "<p>No mail yet.</p>".to_owned(),
        false => format!("<ul>{rows}</ul>"),
    };
    page("Mail", &rows)
}

/// One mail that went into a file.
#[utoipa::path(
    get,
    path = "/api/v1/auth/dev/mail/{id}",
    tag = "auth",
    params(("id" = inline(MailId), Path)),
    responses(
        (status = 200, body = StoredMail),
        (status = 404, description = "`path_not_found`"),
    ),
    security(())
)]
pub(super) async fn get_dev_mail(
    request: HttpRequest,
    mailbox: Mailbox,
    id: Path<MailId>,
) -> Result<HttpResponse, Problem> {
    let mail = read(move || find(&mailbox.0, id.0.uuid())).await?;
    let mail = mail.ok_or_else(missing)?;
    if !wants_page(&request) {
        return Ok(HttpResponse::Ok().json(mail));
    }
    let body = format!(
        "<p><a href=\".\">All mail</a></p><dl><dt>To</dt><dd>{}</dd><dt>Written</dt><dd>{}</dd></dl><pre>{}</pre>",
        escape(mail.to.as_str()),
        mail.written_at,
        linked(&mail.text)
    );
    page(&mail.subject, &body)
}

async fn read<T: Send + 'static>(
    look: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let read = tokio::task::spawn_blocking(look).await;
    let read = read.map_err(Problem::internal)?;
    read.map_err(Problem::internal)
}

fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT);
    accept.is_some_and(|accept| accept.to_str().is_ok_and(|text| text.contains("text/html")))
}

fn page(title: &str, body: &str) -> Result<HttpResponse, Problem> {
    let nonce = nonce()?;
    let filled = PAGE
        .replace("{nonce}", &nonce)
        .replace("{title}", &escape(title))
        .replace("{body}", body);
    Ok(styled(&nonce, filled))
}

/// A mail in the list, with its link, so that one click follows it.
fn row(mail: &StoredMail) -> String {
    let link = links(&mail.text).next().unwrap_or_default();
    let follow = match link {
        "" => String::new(),
        link => format!(
            " <a class=\"follow\" href=\"{0}\" rel=\"noreferrer\">{1}</a>",
            escape(link),
            escape(&mail.template)
        ),
    };
    format!(
        "<li><a href=\"mail/{}\">{}</a><small>{} · {}</small>{follow}</li>",
        mail.id,
        escape(&mail.subject),
        escape(mail.to.as_str()),
        mail.written_at
    )
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
}

fn linked(text: &str) -> String {
    let mut safe = escape(text);
    for link in links(text) {
        let link = escape(link);
        safe = safe.replacen(
            &link,
            &format!("<a href=\"{link}\" rel=\"noreferrer\">{link}</a>"),
            1,
        );
    }
    safe
}
